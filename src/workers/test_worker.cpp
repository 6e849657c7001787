// A function worker that misbehaves on demand: what the pool is tested against.
//
// Functions: echo(x), square(n), sleep_ms(n), crash(x), exit(n), hang(x), garbage(x),
// huge_frame(x), print(x), words(text), big(n), throw(x), allocate(n), wrong_cells(x), bad_text(x),
// skip_row(x), process_id(x), uid(x), memory_limit(x), network_interfaces(x), environment(name),
// no_new_privileges(x), crash_unless_file(path), die_idle(x).
// With the argument "die" it ends before hello, with "mute" it never says it, with "version" it
// says another version.
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
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

std::int64_t count_interfaces() {
  std::int64_t others_than_loopback = 0;
  struct if_nameindex* names = ::if_nameindex();
  for (auto* entry = names; entry != nullptr && entry->if_index != 0; ++entry) {
    if (std::string(entry->if_name) != "lo") ++others_than_loopback;
  }
  if (names != nullptr) ::if_freenameindex(names);
  return others_than_loopback;
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
    if (name == "network_interfaces") return integer(count_interfaces());
    if (name == "no_new_privileges") return integer(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    if (name == "media_folder") return text(media_folder_.string());
    if (name == "memory_limit") {
      rlimit limit{};
      ::getrlimit(RLIMIT_AS, &limit);
      return integer(static_cast<std::int64_t>(limit.rlim_cur));
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
