#include "workers/msgpack.h"

#include <fmt/core.h>

#include <bit>
#include <limits>

#include "base/error.h"

namespace coppice {

void PackWriter::put(std::uint8_t tag, std::uint64_t value, int size_bytes) {
  out_.push_back(static_cast<char>(tag));
  for (int shift = (size_bytes - 1) * 8; shift >= 0; shift -= 8) {
    out_.push_back(static_cast<char>(value >> shift));
  }
}

void PackWriter::nil() { put(0xc0, 0, 0); }

void PackWriter::boolean(bool value) { put(value ? 0xc3 : 0xc2, 0, 0); }

void PackWriter::integer(std::int64_t value) {
  if (value >= -32 && value <= 127) {
    put(static_cast<std::uint8_t>(value), 0, 0);
  } else if (value >= std::numeric_limits<std::int32_t>::min() &&
             value <= std::numeric_limits<std::int32_t>::max()) {
    put(0xd2, static_cast<std::uint64_t>(value), 4);
  } else {
    put(0xd3, static_cast<std::uint64_t>(value), 8);
  }
}

void PackWriter::number(double value) { put(0xcb, std::bit_cast<std::uint64_t>(value), 8); }

void PackWriter::text(std::string_view value) {
  if (value.size() < 32) {
    put(static_cast<std::uint8_t>(0xa0 | value.size()), 0, 0);
  } else if (value.size() <= 0xff) {
    put(0xd9, value.size(), 1);
  } else if (value.size() <= 0xffff) {
    put(0xda, value.size(), 2);
  } else {
    COPPICE_ASSERT(value.size() <= std::numeric_limits<std::uint32_t>::max());
    put(0xdb, value.size(), 4);
  }
  out_.append(value);
}

void PackWriter::binary(std::string_view bytes) {
  if (bytes.size() <= 0xff) {
    put(0xc4, bytes.size(), 1);
  } else if (bytes.size() <= 0xffff) {
    put(0xc5, bytes.size(), 2);
  } else {
    COPPICE_ASSERT(bytes.size() <= std::numeric_limits<std::uint32_t>::max());
    put(0xc6, bytes.size(), 4);
  }
  out_.append(bytes);
}

void PackWriter::array(std::size_t count) {
  if (count < 16) return put(static_cast<std::uint8_t>(0x90 | count), 0, 0);
  COPPICE_ASSERT(count <= std::numeric_limits<std::uint32_t>::max());
  put(0xdd, count, 4);
}

void PackWriter::map(std::size_t count) {
  COPPICE_ASSERT(count < 16);
  put(static_cast<std::uint8_t>(0x80 | count), 0, 0);
}

void PackWriter::raw(std::string_view packed_items) { out_.append(packed_items); }

void PackReader::fail(const std::string& what) const {
  throw Error(ErrorCode::kInvalidInput, fmt::format("malformed message at byte {} of {}: {}",
                                                    position_, bytes_.size(), what));
}

std::uint8_t PackReader::peek() const {
  if (at_end()) fail("it ends too early");
  return static_cast<std::uint8_t>(bytes_[position_]);
}

void PackReader::advance(std::size_t size_bytes) {
  if (size_bytes > bytes_.size() - position_) fail("it ends too early");
  position_ += size_bytes;
}

std::uint64_t PackReader::big_endian(int size_bytes) {
  const std::size_t start = position_;
  advance(static_cast<std::size_t>(size_bytes));
  std::uint64_t value = 0;
  for (int i = 0; i < size_bytes; ++i) {
    value = (value << 8) | static_cast<std::uint8_t>(bytes_[start + i]);
  }
  return value;
}

PackType PackReader::next_type() const {
  const std::uint8_t tag = peek();
  if (tag <= 0x7f || tag >= 0xe0 || (tag >= 0xcc && tag <= 0xd3)) return PackType::kInteger;
  if (tag <= 0x8f || tag == 0xde || tag == 0xdf) return PackType::kMap;
  if (tag <= 0x9f || tag == 0xdc || tag == 0xdd) return PackType::kArray;
  if (tag <= 0xbf || (tag >= 0xd9 && tag <= 0xdb)) return PackType::kText;
  if (tag == 0xc0) return PackType::kNil;
  if (tag == 0xc2 || tag == 0xc3) return PackType::kBoolean;
  if (tag == 0xca || tag == 0xcb) return PackType::kFloat;
  if (tag >= 0xc4 && tag <= 0xc6) return PackType::kBinary;
  return PackType::kOther;
}

void PackReader::nil() {
  if (peek() != 0xc0) fail("nil expected");
  advance(1);
}

bool PackReader::boolean() {
  const std::uint8_t tag = peek();
  if (tag != 0xc2 && tag != 0xc3) fail("a boolean expected");
  advance(1);
  return tag == 0xc3;
}

std::int64_t PackReader::integer() {
  const std::uint8_t tag = peek();
  if (next_type() != PackType::kInteger) fail("an integer expected");
  advance(1);
  switch (tag) {
    case 0xcc:
    case 0xcd:
    case 0xce:
      return static_cast<std::int64_t>(big_endian(1 << (tag - 0xcc)));
    case 0xcf: {
      const std::uint64_t value = big_endian(8);
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        fail("an integer above 2^63 - 1");
      return static_cast<std::int64_t>(value);
    }
    case 0xd0:
      return static_cast<std::int8_t>(big_endian(1));
    case 0xd1:
      return static_cast<std::int16_t>(big_endian(2));
    case 0xd2:
      return static_cast<std::int32_t>(big_endian(4));
    case 0xd3:
      return static_cast<std::int64_t>(big_endian(8));
    default:
      return static_cast<std::int8_t>(tag);
  }
}

double PackReader::number() {
  const std::uint8_t tag = peek();
  if (tag != 0xca && tag != 0xcb) fail("a float expected");
  advance(1);
  if (tag == 0xcb) return std::bit_cast<double>(big_endian(8));
  return std::bit_cast<float>(static_cast<std::uint32_t>(big_endian(4)));
}

std::string_view PackReader::text() {
  const std::uint8_t tag = peek();
  if (next_type() != PackType::kText) fail("a string expected");
  advance(1);
  const std::size_t size = tag < 0xc0 ? tag & 0x1f : big_endian(1 << (tag - 0xd9));
  const std::size_t start = position_;
  advance(size);
  return bytes_.substr(start, size);
}

std::string_view PackReader::binary() {
  const std::uint8_t tag = peek();
  if (next_type() != PackType::kBinary) fail("bytes expected");
  advance(1);
  const std::size_t size = big_endian(1 << (tag - 0xc4));
  const std::size_t start = position_;
  advance(size);
  return bytes_.substr(start, size);
}

std::size_t PackReader::container(std::uint8_t fix_tag, std::uint8_t tag16, const char* what) {
  const std::uint8_t tag = peek();
  std::size_t count = tag & 0x0f;
  if (tag == tag16 || tag == tag16 + 1) {
    advance(1);
    count = big_endian(tag == tag16 ? 2 : 4);
  } else if ((tag & 0xf0) == fix_tag) {
    advance(1);
  } else {
    fail(fmt::format("{} expected", what));
  }
  // Every item takes a byte at least: a count that cannot be true is refused before it is used.
  if (count > bytes_.size() - position_) fail("it announces more items than it has bytes");
  return count;
}

std::size_t PackReader::array() { return container(0x90, 0xdc, "an array"); }

std::size_t PackReader::map() { return container(0x80, 0xde, "a map"); }

void PackReader::skip() {
  for (std::size_t open = 1; open > 0; --open) {
    const std::uint8_t tag = peek();
    switch (next_type()) {
      case PackType::kNil:
      case PackType::kBoolean:
        advance(1);
        break;
      case PackType::kInteger:
        advance(1);
        if (tag >= 0xcc && tag <= 0xd3) advance(std::size_t{1} << ((tag - 0xcc) & 3));
        break;
      case PackType::kFloat:
        number();
        break;
      case PackType::kText:
        text();
        break;
      case PackType::kBinary:
        binary();
        break;
      case PackType::kArray:
        open += array();
        break;
      case PackType::kMap:
        open += 2 * map();
        break;
      case PackType::kOther:
        if (tag == 0xc1) fail("the byte c1 begins no item");
        advance(1);
        if (tag >= 0xc7 && tag <= 0xc9) {
          advance(1 + big_endian(1 << (tag - 0xc7)));  // extension
        } else {
          advance(1 + (std::size_t{1} << (tag - 0xd4)));  // extension of 1, 2, 4, 8 or 16 bytes
        }
        break;
    }
  }
}

}  // namespace coppice
