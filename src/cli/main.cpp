#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "cli/run.h"

namespace coppice {
namespace {

class RealEngineFactory final : public cli::EngineFactory {
 public:
  void init(const Config& config, ResultSink& sink) override { Engine::init(config, sink); }
  std::unique_ptr<Engine> open(const Config& config) override { return Engine::open(config); }
  bool stop_server(const Config& config) override { return Engine::stop_server(config); }
  std::unique_ptr<Recovery> recovery() override { return make_recovery(); }
};

// A program may be started with standard streams closed. The next file or socket that is opened
// would get such a number, and what is meant for standard output would go there: into the database
// connection. So the number is taken by what can be used for nothing: every use is an error.
void occupy_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) != -1) continue;
    const int taken = ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    if (taken != fd) ::_exit(1);  // nobody can be told
  }
}

// Line editing reads and shows UTF-8, whatever the user's locale says about it.
void use_utf8() {
  ::setlocale(LC_CTYPE, "");
  if (std::strcmp(::nl_langinfo(CODESET), "UTF-8") != 0) ::setlocale(LC_CTYPE, "C.UTF-8");
}

// Other users see the words of a program. A password in the address of a database is for nobody.
void hide_password(char* word) {
  char* const address = std::strstr(word, "://");
  if (address != nullptr) {
    char* const user = address + 3;
    char* const end = user + std::strcspn(user, "@/?");
    char* const colon = *end == '@' ? std::strchr(user, ':') : nullptr;
    if (colon != nullptr && colon < end) std::fill(colon + 1, end, '*');
  }
  constexpr const char* kKeyword = "password=";
  for (char* at = std::strstr(word, kKeyword); at != nullptr; at = std::strstr(at, kKeyword)) {
    at += std::strlen(kKeyword);
    std::fill(at, at + std::strcspn(at, "& "), '*');
  }
}

}  // namespace
}  // namespace coppice

int main(int argc, char** argv) {
  coppice::occupy_standard_streams();
  // A reader that goes away shows up as EPIPE at the write, where it can be dealt with.
  ::signal(SIGPIPE, SIG_IGN);
  coppice::use_utf8();
  coppice::RealEngineFactory factory;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  std::for_each(argv + 1, argv + argc, coppice::hide_password);
  return coppice::cli::run(arguments, factory, {}, coppice::process_environment());
}
