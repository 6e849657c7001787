// A function worker that misbehaves on demand: what the pool is tested against.
//
// Functions: echo(x), square(n), sleep_ms(n), crash(x), exit(n), hang(x), garbage(x),
// huge_frame(x), print(x), words(text), big(n), throw(x), allocate(n), wrong_cells(x), bad_text(x),
// skip_row(x), process_id(x), uid(x), memory_limit(x), network_namespace(x), environment(name),
// no_new_privileges(x), crash_unless_file(path), attempt("verb target"), which says "done" or why
// not: what code that took the worker over could try.
// With the argument "die" it ends before hello, with "mute" it never says it, with "version" it
// says another version.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>

#include "base/files.h"
#include "workers/protocol.h"
#include "workers/serve.h"

namespace coppice {
namespace {

Value integer(std::int64_t number) {
  Value value;
  value.type = ValueType::kInteger;
  value.integer = number;
  return value;
}

Value text(std::string content) {
  Value value;
  value.type = ValueType::kText;
  value.text = std::move(content);
  return value;
}

bool opens(const std::string& path, int flags) {
  return static_cast<bool>(FileDescriptor(::open(path.c_str(), flags | O_CLOEXEC, 0600)));
}

bool connects(const std::string& path) {
  const FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return false;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

bool attempt(const std::string& verb, const std::string& target) {
  if (verb == "read") return opens(target, O_RDONLY);
  if (verb == "create") return opens(target, O_WRONLY | O_CREAT);
  if (verb == "append") return opens(target, O_WRONLY | O_APPEND);
  if (verb == "truncate") return ::truncate(target.c_str(), 0) == 0;
  if (verb == "remove") return ::unlink(target.c_str()) == 0;
  if (verb == "chmod") return ::chmod(target.c_str(), 0777) == 0;
  if (verb == "symlink") return ::symlink("/etc/passwd", target.c_str()) == 0;
  if (verb == "connect") return connects(target);
  if (verb == "signal") return ::kill(std::stoi(target), 0) == 0;
  if (verb == "descriptor") return ::fcntl(std::stoi(target), F_GETFD) >= 0;
  throw std::invalid_argument("no attempt " + verb);
}

[[noreturn]] void die_of(int signal) {
  ::signal(signal, SIG_DFL);
  ::raise(signal);
  std::abort();
}

class TestEvaluator final : public FragmentEvaluator {
 public:
  void open(const std::filesystem::path& media_folder) override { media_folder_ = media_folder; }

  std::vector<Cell> evaluate_row(const std::vector<Fragment>& fragments,
                                 const std::vector<Value>& arguments) override {
    std::vector<Cell> cells;
    for (const Fragment& fragment : fragments) {
      if (fragment.function == "wrong_cells") return {};
      cells.push_back(evaluate(fragment, arguments));
    }
    return cells;
  }

 private:
  Cell evaluate(const Fragment& fragment, const std::vector<Value>& arguments) {
    if (fragment.is_argument()) return arguments.at(static_cast<std::size_t>(fragment.argument));
    const Cell inner = evaluate(fragment.children.at(0), arguments);
    if (std::holds_alternative<CellFailure>(inner)) return inner;
    const Value& value = std::get<Value>(inner);
    if (value.is_null()) return value;
    return call(fragment.function, value);
  }

  Cell call(const std::string& name, const Value& value) {
    if (name == "echo") return value;
    if (name == "square") return integer(value.integer * value.integer);
    if (name == "process_id") return integer(::getpid());
    if (name == "uid") return integer(::getuid());
    if (name == "network_namespace") {
      return text(std::filesystem::read_symlink("/proc/self/ns/net").string());
    }
    if (name == "no_new_privileges") return integer(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    if (name == "media_folder") return text(media_folder_.string());
    if (name == "memory_limit") {
      rlimit limit{};
      ::getrlimit(RLIMIT_AS, &limit);
      return integer(static_cast<std::int64_t>(limit.rlim_cur));
    }
    if (name == "attempt") {
      const std::size_t space = value.text.find(' ');
      errno = 0;
      const bool done = attempt(value.text.substr(0, space), value.text.substr(space + 1));
      return text(done ? "done" : std::strerror(errno));
    }
    if (name == "environment") {
      const char* found = std::getenv(value.text.c_str());
      return text(found == nullptr ? "(unset)" : found);
    }
    if (name == "sleep_ms") {
      std::this_thread::sleep_for(std::chrono::milliseconds(value.integer));
      return value;
    }
    if (name == "print") {
      std::printf("this goes to stdout\n");
      std::fflush(stdout);
      return value;
    }
    if (name == "big") return text(std::string(static_cast<std::size_t>(value.integer), 'b'));
    if (name == "bad_text") return text("\xff\xfe");
    if (name == "throw") throw std::runtime_error("thrown on purpose");
    if (name == "allocate") {
      std::vector<char> memory(static_cast<std::size_t>(value.integer), 'm');
      return integer(memory.back());
    }
    return misbehave(name, value);
  }

  // Numbers below 0 are left alone, so that one row of many can be the bad one.
  Cell misbehave(const std::string& name, const Value& value) {
    if (value.type == ValueType::kInteger && value.integer < 0) return value;
    if (name == "words") {
      std::fprintf(stderr, "%s\n", value.text.c_str());
      die_of(SIGABRT);
    }
    if (name == "crash") die_of(SIGSEGV);
    if (name == "exit") std::_Exit(static_cast<int>(value.integer));
    if (name == "hang") {
      for (;;) ::pause();
    }
    if (name == "crash_unless_file") {
      if (std::filesystem::exists(value.text)) return value;
      FileDescriptor created(::open(value.text.c_str(), O_CREAT | O_WRONLY, 0600));
      die_of(SIGKILL);
    }
    if (name == "garbage") write_all(protocol_fd_, "this is not a frame at all", "garbage");
    if (name == "huge_frame") write_all(protocol_fd_, "\xff\xff\xff\xff", "garbage");
    if (name == "skip_row") {
      std::string frame;
      append_frame(frame, ResultMessage{1, 99, {Value{}}});
      write_all(protocol_fd_, frame, "a wrong row");
    }
    return value;
  }

  std::filesystem::path media_folder_;

 public:
  int protocol_fd_ = -1;
};

int run(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  TestEvaluator evaluator;
  // A second way to the protocol's pipe, to write nonsense into it.
  evaluator.protocol_fd_ = ::fcntl(1, F_DUPFD_CLOEXEC, 50);
  if (mode == "die") {
    std::fprintf(stderr, "libmissing.so: cannot open shared object\n");
    return 3;
  }
  if (mode == "mute") {
    for (;;) ::pause();
  }
  if (mode == "version") {
    std::string frame;
    append_frame(frame, WorkerHello{99, "test"});
    write_all(evaluator.protocol_fd_, frame, "hello");
    for (;;) ::pause();
  }
  return serve_standard_streams(evaluator, "coppice_test_worker");
}

}  // namespace
}  // namespace coppice

int main(int argc, char** argv) { return coppice::run(argc, argv); }
