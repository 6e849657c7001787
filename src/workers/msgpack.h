// PackWriter, PackReader: the part of MessagePack that the worker protocol uses.
//
// Model    nil, booleans, 64-bit integers, floats (read as double), UTF-8 strings, bytes, arrays
//          and maps. Extension items can be skipped, not read.
// Errors   The reader throws Error{kInvalidInput} at bytes that are truncated or of another type.
//          Sizes are checked against the bytes that are left before anything is allocated, and
//          nothing recurses, so hostile bytes cost no more than their length.
// Source   The MessagePack specification (msgpack.org); docs/formats/worker_protocol.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace coppice {

// Appends items to a string.
class PackWriter {
 public:
  explicit PackWriter(std::string& out) : out_(out) {}
  void nil();
  void boolean(bool value);
  void integer(std::int64_t value);
  void number(double value);
  void text(std::string_view value);
  void binary(std::string_view bytes);
  void array(std::size_t count);            // `count` items follow
  void map(std::size_t count);              // `count` pairs of key and value follow
  void raw(std::string_view packed_items);  // items packed before

 private:
  void put(std::uint8_t tag, std::uint64_t value, int size_bytes);
  std::string& out_;
};

enum class PackType { kNil, kBoolean, kInteger, kFloat, kText, kBinary, kArray, kMap, kOther };

// Reads items from bytes that outlive it.
class PackReader {
 public:
  explicit PackReader(std::string_view bytes) : bytes_(bytes) {}

  bool at_end() const { return position_ == bytes_.size(); }
  PackType next_type() const;

  void nil();
  bool boolean();
  std::int64_t integer();
  double number();
  std::string_view text();
  std::string_view binary();
  std::size_t array();
  std::size_t map();
  // Passes over one item with all it holds.
  void skip();

 private:
  std::uint8_t peek() const;
  std::uint64_t big_endian(int size_bytes);
  void advance(std::size_t size_bytes);
  std::size_t container(std::uint8_t fix_tag, std::uint8_t tag16, const char* what);
  [[noreturn]] void fail(const std::string& what) const;

  std::string_view bytes_;
  std::size_t position_ = 0;
};

}  // namespace coppice
