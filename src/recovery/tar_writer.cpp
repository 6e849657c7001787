#include "recovery/tar_writer.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace coppice::recovery {
namespace {

constexpr std::uint64_t kBlockBytes = 512;
constexpr std::uint64_t kRecordBytes = 20 * kBlockBytes;
constexpr std::uint64_t kMostInHeader = (std::uint64_t{1} << 33) - 1;  // 11 octal digits

// Where a header has its fields, and how long they are.
struct Field {
  std::size_t at, size;
};
constexpr Field kName{0, 100}, kMode{100, 8}, kUser{108, 8}, kGroup{116, 8}, kSize{124, 12},
    kTime{136, 12}, kChecksum{148, 8}, kType{156, 1}, kMagic{257, 8};

void put(std::string& block, Field field, std::string_view text) {
  COPPICE_ASSERT(text.size() <= field.size);
  std::memcpy(block.data() + field.at, text.data(), text.size());
}

void put_number(std::string& block, Field field, std::uint64_t number) {
  put(block, field, fmt::format("{:0{}o}", number, field.size - 1));
}

// "30 size=8589934592\n": its length counts itself.
std::string pax_record(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (fmt::formatted_size("{}", length) + rest != length) ++length;
  return fmt::format("{} {}={}\n", length, key, value);
}

}  // namespace

void TarWriter::begin_file(std::string_view name, std::uint64_t size_bytes) {
  COPPICE_ASSERT(missing_bytes_ == 0 && name.size() <= kName.size);
  begun_at_ = written_bytes_;
  std::string head;
  if (size_bytes > kMostInHeader) {
    std::string record = pax_record("size", std::to_string(size_bytes));
    head = header("PaxHeader", record.size(), 'x');
    record.resize((record.size() + kBlockBytes - 1) / kBlockBytes * kBlockBytes);
    head += record;
  }
  head += header(name, std::min(size_bytes, kMostInHeader), '0');
  write_(head);
  written_bytes_ += head.size();
  size_bytes_ = missing_bytes_ = size_bytes;
}

void TarWriter::append(std::string_view bytes) {
  COPPICE_ASSERT(bytes.size() <= missing_bytes_);
  write_(bytes);
  missing_bytes_ -= bytes.size();
  written_bytes_ += bytes.size();
}

void TarWriter::end_file() {
  COPPICE_ASSERT(missing_bytes_ == 0);
  pad(size_bytes_, kBlockBytes);
}

std::uint64_t TarWriter::drop_file() {
  missing_bytes_ = 0;
  return written_bytes_ = begun_at_;
}

void TarWriter::finish() {
  const std::string end(2 * kBlockBytes, '\0');
  write_(end);
  written_bytes_ += end.size();
  pad(written_bytes_, kRecordBytes);
}

std::string TarWriter::header(std::string_view name, std::uint64_t size_bytes, char type) const {
  std::string block(kBlockBytes, '\0');
  put(block, kName, name);
  put_number(block, kMode, 0640);
  put_number(block, kUser, 0);
  put_number(block, kGroup, 0);
  put_number(block, kSize, size_bytes);
  put_number(block, kTime, static_cast<std::uint64_t>(std::max<std::int64_t>(time_s_, 0)));
  put(block, kType, {&type, 1});
  put(block, kMagic, {"ustar\00000", 8});
  // The sum of all bytes, with blanks in its own place.
  put(block, kChecksum, "        ");
  std::uint64_t sum = 0;
  for (const char byte : block) sum += static_cast<unsigned char>(byte);
  put(block, kChecksum, {fmt::format("{:06o}", sum) + std::string("\0 ", 2)});
  return block;
}

void TarWriter::pad(std::uint64_t size_bytes, std::uint64_t block_bytes) {
  const std::uint64_t missing = (block_bytes - size_bytes % block_bytes) % block_bytes;
  if (missing == 0) return;
  write_(std::string(missing, '\0'));
  written_bytes_ += missing;
}

}  // namespace coppice::recovery
