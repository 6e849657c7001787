#include "backup/lines.h"

#include <algorithm>
#include <charconv>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/sha256.h"

namespace coppice {
namespace {

constexpr unsigned kCutMask = (1U << 11) - 1;  // the last bits of a digest: about every 2,048 lines
constexpr std::size_t kAhead = 2;

std::size_t most_at_once() { return std::clamp(std::thread::hardware_concurrency(), 2U, 16U); }

Error no_lines() {
  return Error(ErrorCode::kIntegrity, "the rows of the backup are not what rows look like");
}

std::int64_t number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) throw no_lines();
  return value;
}

// The digest decides alone, so that two writers cut at the same lines.
bool ends_blob(std::string_view line) {
  std::size_t end = line.find('\t');
  if (end != std::string_view::npos) end = line.find('\t', end + 1);
  if (end == std::string_view::npos) end = line.size() - 1;
  const Digest digest = sha256(line.substr(0, end));
  const unsigned tail = static_cast<unsigned>(digest[30]) << 8 | digest[31];
  return (tail & kCutMask) == 0;
}

char unescaped(char letter) {
  switch (letter) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    default:
      return letter;
  }
}

}  // namespace

RowKey key_of(std::string_view line) {
  const std::size_t first = line.find('\t');
  const std::size_t second = line.find('\t', first == std::string_view::npos ? first : first + 1);
  if (second == std::string_view::npos) throw no_lines();
  return {number(line.substr(0, first)), number(line.substr(first + 1, second - first - 1))};
}

void split_fields(std::string_view line, std::vector<std::string_view>& fields) {
  fields.clear();
  if (line.ends_with('\n')) line.remove_suffix(1);
  for (;;) {
    const std::size_t end = line.find('\t');
    fields.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return;
    line.remove_prefix(end + 1);
  }
}

std::string unescaped_field(std::string_view field) {
  std::string text;
  text.reserve(field.size());
  for (std::size_t i = 0; i < field.size(); ++i) {
    text += field[i] == '\\' && i + 1 < field.size() ? unescaped(field[++i]) : field[i];
  }
  return text;
}

LineWriter::~LineWriter() {
  for (auto& blob : packing_) blob.wait();
}

void LineWriter::add(std::string_view line) {
  ++rows_;
  bytes_ += line.size();
  if (!blob_.empty() && blob_.size() + line.size() > kLineBlobBytes) end_blob();
  blob_ += line;
  if (cut_ == Cut::kByKeys && ends_blob(line)) end_blob();
}

// A line may be longer than a blob.
void LineWriter::end_blob() {
  if (blob_.size() <= repo::kMostBlobBytes) return send(std::exchange(blob_, {}));
  for (std::size_t at = 0; at < blob_.size(); at += repo::kMostBlobBytes) {
    send(blob_.substr(at, repo::kMostBlobBytes));
  }
  blob_.clear();
}

void LineWriter::send(std::string blob) {
  if (packing_.size() >= most_at_once()) take_first();
  packing_.push_back(
      std::async(std::launch::async, [this, blob = std::move(blob)] { return writer_.add(blob); }));
}

// Taken out before it may throw: the destructor waits for the others.
void LineWriter::take_first() {
  std::future<repo::BlobId> first = std::move(packing_.front());
  packing_.pop_front();
  done_.push_back(first.get());
}

std::vector<repo::BlobId> LineWriter::finish() {
  if (!blob_.empty()) end_blob();
  while (!packing_.empty()) take_first();
  return std::move(done_);
}

LineReader::~LineReader() {
  for (auto& blob : reading_) blob.wait();
}

bool LineReader::more() {
  while (asked_ < blobs_.size() && reading_.size() < kAhead) {
    reading_.push_back(std::async(std::launch::async,
                                  [this, id = blobs_[asked_]] { return repository_.read(id); }));
    ++asked_;
  }
  if (reading_.empty()) return false;
  text_.erase(0, at_);
  at_ = 0;
  auto next = std::move(reading_.front());
  reading_.pop_front();
  if (text_.empty()) {
    text_ = next.get();
  } else {
    text_ += next.get();
  }
  return true;
}

std::optional<std::string_view> LineReader::next() {
  for (;;) {
    const std::size_t end = text_.find('\n', at_);
    if (end != std::string::npos) {
      const std::string_view line = std::string_view(text_).substr(at_, end + 1 - at_);
      at_ = end + 1;
      return line;
    }
    if (!more()) break;
  }
  if (at_ != text_.size()) throw no_lines();
  return std::nullopt;
}

}  // namespace coppice
