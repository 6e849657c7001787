// TarWriter: files in the form that `tar x` reads.
//
// Model    POSIX ustar headers; a file of 8 GiB or more has its size in a pax header before it.
// Units    Sizes in bytes, times in seconds since 1970. Names have at most 100 bytes.
// Threads  One thread.
// Source   POSIX.1-2017, pax, "ustar Interchange Format" and "pax Interchange Format"
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace coppice::recovery {

class TarWriter {
 public:
  using Write = std::function<void(std::string_view bytes)>;

  // Files have this time. `write` takes the archive's bytes in order.
  TarWriter(std::int64_t time_s, Write write) : time_s_(time_s), write_(std::move(write)) {}

  // Then come as many bytes as that, by append().
  void begin_file(std::string_view name, std::uint64_t size_bytes);
  void append(std::string_view bytes);
  void end_file();
  // Forgets the file under way: gives how long the archive was before it.
  std::uint64_t drop_file();
  void finish();

 private:
  std::string header(std::string_view name, std::uint64_t size_bytes, char type) const;
  void pad(std::uint64_t size_bytes, std::uint64_t block_bytes);

  const std::int64_t time_s_;
  const Write write_;
  std::uint64_t size_bytes_ = 0;     // of the file under way
  std::uint64_t missing_bytes_ = 0;  // of it
  std::uint64_t written_bytes_ = 0;  // of the archive
  std::uint64_t begun_at_ = 0;
};

}  // namespace coppice::recovery
