// Lines of a backup: rows in the text form of COPY, cut into blobs and put together again.
//
// Model    A LineWriter cuts at the end of a line when kLineBlobBytes are full; where it also cuts
//          by the content of keys, a row that comes or goes changes one blob. A LineReader gives
//          the lines again, reading ahead.
// Units    Memory: a few blobs a writer or reader, or the longest line.
// Threads  One thread each; blobs are packed and read by threads of their own.
// Errors   Those of the repository; kIntegrity for lines that do not end.
// Source   docs/formats/backup.md
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <future>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "repo/blob_writer.h"

namespace coppice {

inline constexpr std::size_t kLineBlobBytes = 4 << 20;

// What row versions are sorted by: the first two fields of their lines.
struct RowKey {
  std::int64_t from = 0, row = 0;
  auto operator<=>(const RowKey&) const = default;
};
RowKey key_of(std::string_view line);

// The fields of a line, which may end with its line feed. Views into it.
void split_fields(std::string_view line, std::vector<std::string_view>& fields);
// The value of a field that is not \N.
std::string unescaped_field(std::string_view field);

enum class Cut { kBySize, kByKeys };

class LineWriter {
 public:
  explicit LineWriter(repo::BlobWriter& writer, Cut cut = Cut::kBySize)
      : writer_(writer), cut_(cut) {}
  // Waits for what is being packed.
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // One line, with its line feed.
  void add(std::string_view line);
  std::vector<repo::BlobId> finish();
  std::uint64_t rows() const { return rows_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  void end_blob();
  void send(std::string blob);
  void take_first();

  repo::BlobWriter& writer_;
  const Cut cut_;
  std::string blob_;
  std::deque<std::future<repo::BlobId>> packing_;
  std::vector<repo::BlobId> done_;
  std::uint64_t rows_ = 0, bytes_ = 0;
};

class LineReader {
 public:
  LineReader(const repo::Repository& repository, std::vector<repo::BlobId> blobs)
      : repository_(repository), blobs_(std::move(blobs)) {}
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // With its line feed, valid until the next call; nullopt at the end.
  std::optional<std::string_view> next();

 private:
  bool more();

  const repo::Repository& repository_;
  const std::vector<repo::BlobId> blobs_;
  std::size_t asked_ = 0;
  std::deque<std::future<std::string>> reading_;
  std::string text_;
  std::size_t at_ = 0;
};

}  // namespace coppice
