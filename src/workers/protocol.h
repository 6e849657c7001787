// The worker protocol: messages as frames, and frames as messages.
//
// Model    A frame is a length and a MessagePack map. append_frame() puts a whole frame at the end
//          of a string; FrameBuffer finds frames in a stream of bytes; decode_message() reads one.
// Units    Sizes are bytes. Rows and fragments are counted from 0.
// Threads  Free functions are safe anywhere; a FrameBuffer belongs to one thread.
// Errors   Bytes that are not a frame or message throw Error{kInvalidInput}; nothing else, and
//          memory in proportion to their length, whatever the bytes are.
// Source   docs/formats/worker_protocol.md
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "workers/value.h"

namespace coppice {

constexpr std::int64_t kWorkerProtocolVersion = 1;
constexpr std::size_t kFrameLimitBytes = std::size_t{64} << 20;
constexpr std::size_t kFrameHeaderBytes = 4;
constexpr int kFragmentDepthLimit = 256;

struct EngineHello {
  std::int64_t protocol = kWorkerProtocolVersion;
  std::string media_folder;
  std::size_t frame_limit_bytes = kFrameLimitBytes;
  bool operator==(const EngineHello&) const = default;
};
struct WorkerHello {
  std::int64_t protocol = kWorkerProtocolVersion;
  std::string name;
  bool operator==(const WorkerHello&) const = default;
};
struct EvaluateMessage {
  std::int64_t id = 0;
  std::vector<Fragment> fragments;
  std::vector<std::vector<Value>> rows;  // rows[row][argument]
  bool operator==(const EvaluateMessage&) const = default;
};
struct AcceptedMessage {
  std::int64_t id = 0;
  bool operator==(const AcceptedMessage&) const = default;
};
struct ResultMessage {
  std::int64_t id = 0;
  std::size_t row = 0;
  std::vector<Cell> cells;  // one per fragment
  bool operator==(const ResultMessage&) const = default;
};
struct PingMessage {
  std::int64_t id = 0;
  bool operator==(const PingMessage&) const = default;
};
struct PongMessage {
  std::int64_t id = 0;
  bool operator==(const PongMessage&) const = default;
};
struct ByeMessage {
  bool operator==(const ByeMessage&) const = default;
};
struct ErrorMessage {
  std::string message;
  bool operator==(const ErrorMessage&) const = default;
};
using Message = std::variant<EngineHello, WorkerHello, EvaluateMessage, AcceptedMessage,
                             ResultMessage, PingMessage, PongMessage, ByeMessage, ErrorMessage>;

// Puts `message` as a frame at the end of `out`. A frame above kFrameLimitBytes, or a fragment
// deeper than kFragmentDepthLimit, throws and leaves `out` as it was.
void append_frame(std::string& out, const Message& message);

// Packs the fragments of a call once; every `evaluate` of the call then carries the same bytes.
std::string pack_fragments(std::span<const Fragment> fragments);

// The same frame as append_frame(EvaluateMessage), straight from a columnar batch: takes rows from
// `row_numbers` until their bytes pass `soft_limit_bytes`, one at least. Returns how many it took;
// 0 when the first row alone is above kFrameLimitBytes (`out` is then as it was).
std::size_t append_evaluate_frame(std::string& out, std::int64_t id,
                                  std::string_view packed_fragments, const Batch& batch,
                                  std::span<const std::size_t> row_numbers,
                                  std::size_t soft_limit_bytes);

// Reads the body of a frame. A cell whose text is not UTF-8, or holds a NUL, becomes a CellFailure
// of type "encoding". `from_worker` tells the two messages named "hello" apart.
Message decode_message(std::string_view body, bool from_worker);

// Cuts a stream of bytes into frames.
class FrameBuffer {
 public:
  explicit FrameBuffer(std::size_t limit_bytes = kFrameLimitBytes) : limit_bytes_(limit_bytes) {}

  void append(std::string_view bytes) { bytes_.append(bytes); }
  // The body of the next complete frame, valid until append() or next() is called; nullopt
  // when more bytes are needed. Throws when the announced size is 0 or above the limit.
  std::optional<std::string_view> next();
  bool empty() const { return position_ == bytes_.size(); }

 private:
  std::size_t limit_bytes_;
  std::string bytes_;
  std::size_t position_ = 0;  // what lies before it has been given out
};

}  // namespace coppice
