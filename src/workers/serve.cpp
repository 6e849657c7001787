#include "workers/serve.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <new>

#include "base/error.h"
#include "base/files.h"
#include "workers/protocol.h"

namespace coppice {
namespace {

class WorkerSession {
 public:
  WorkerSession(int in_fd, int out_fd, FragmentEvaluator& evaluator, const std::string& name)
      : in_fd_(in_fd), out_fd_(out_fd), evaluator_(evaluator), name_(name) {}

  // Until `bye` or the end of the input.
  void run() {
    while (const std::optional<std::string_view> body = next_frame()) {
      const Message message = decode_message(*body, false);
      if (std::holds_alternative<ByeMessage>(message)) return;
      handle(message);
    }
  }

  void send(const Message& message) {
    std::string frame;
    append_frame(frame, message);
    write_all(out_fd_, frame, "a message to the engine");
  }

 private:
  std::optional<std::string_view> next_frame() {
    std::array<char, 1 << 16> block;
    for (;;) {
      if (std::optional<std::string_view> body = frames_.next()) return body;
      const ssize_t count = ::read(in_fd_, block.data(), block.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw_errno("read from the engine");
      if (count == 0) return std::nullopt;
      frames_.append({block.data(), static_cast<std::size_t>(count)});
    }
  }

  void handle(const Message& message) {
    if (const auto* hello = std::get_if<EngineHello>(&message)) return greet(*hello);
    if (!greeted_) throw Error(ErrorCode::kInvalidInput, "the engine did not begin with hello");
    if (const auto* ping = std::get_if<PingMessage>(&message)) return send(PongMessage{ping->id});
    if (const auto* batch = std::get_if<EvaluateMessage>(&message)) return evaluate(*batch);
    throw Error(ErrorCode::kInvalidInput, "the engine sent a message that only workers send");
  }

  void greet(const EngineHello& hello) {
    if (hello.protocol != kWorkerProtocolVersion) {
      throw Error(ErrorCode::kNewerFormat,
                  fmt::format("the engine speaks version {} of the worker protocol, {} speaks "
                              "version {}: they are of different releases",
                              hello.protocol, name_, kWorkerProtocolVersion));
    }
    evaluator_.open(hello.media_folder);
    greeted_ = true;
    send(WorkerHello{kWorkerProtocolVersion, name_});
  }

  void evaluate(const EvaluateMessage& batch) {
    send(AcceptedMessage{batch.id});
    for (std::size_t row = 0; row < batch.rows.size(); ++row) {
      send_result({batch.id, row, evaluate_row(batch, row)});
    }
  }

  std::vector<Cell> evaluate_row(const EvaluateMessage& batch, std::size_t row) {
    CellFailure failure{"internal", {}};
    try {
      std::vector<Cell> cells = evaluator_.evaluate_row(batch.fragments, batch.rows[row]);
      if (cells.size() == batch.fragments.size()) return cells;
      failure.message = fmt::format("{} gave {} cells for {} expressions", name_, cells.size(),
                                    batch.fragments.size());
    } catch (const std::bad_alloc&) {
      failure = {"memory", "the function needs more memory than a function worker may use"};
    } catch (const std::exception& error) {
      failure.message = error.what();
    } catch (...) {
      failure.message = "an unknown exception";
    }
    return std::vector<Cell>(batch.fragments.size(), failure);
  }

  void send_result(const ResultMessage& result) {
    std::string frame;
    try {
      append_frame(frame, result);
    } catch (const Error& error) {
      const CellFailure failure{"limit", error.message()};
      append_frame(frame, ResultMessage{result.id, result.row,
                                        std::vector<Cell>(result.cells.size(), failure)});
    }
    write_all(out_fd_, frame, "a result to the engine");
  }

  int in_fd_;
  int out_fd_;
  FragmentEvaluator& evaluator_;
  std::string name_;
  FrameBuffer frames_;
  bool greeted_ = false;
};

}  // namespace

int serve(int in_fd, int out_fd, FragmentEvaluator& evaluator, const std::string& name) {
  WorkerSession session(in_fd, out_fd, evaluator, name);
  std::string reason;
  try {
    session.run();
    return 0;
  } catch (const std::exception& error) {
    reason = error.what();
  } catch (...) {
    reason = "an unknown exception";
  }
  fmt::print(stderr, "{}: {}\n", name, reason);
  try {
    session.send(ErrorMessage{reason});
  } catch (const Error&) {
    // The engine is gone: there is nobody left to tell.
  }
  return 1;
}

int serve_standard_streams(FragmentEvaluator& evaluator, const std::string& name) {
  const FileDescriptor in(::fcntl(0, F_DUPFD_CLOEXEC, 3));
  const FileDescriptor out(::fcntl(1, F_DUPFD_CLOEXEC, 3));
  const FileDescriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!in || !out || !nothing || ::dup2(nothing.get(), 0) < 0 || ::dup2(2, 1) < 0) {
    fmt::print(stderr, "{}: cannot set up its descriptors\n", name);
    return 1;
  }
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  return serve(in.get(), out.get(), evaluator, name);
}

}  // namespace coppice
