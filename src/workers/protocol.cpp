#include "workers/protocol.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/text.h"
#include "workers/msgpack.h"

namespace coppice {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorCode::kInvalidInput, "malformed message: " + what);
}

// ---- packing ----

void pack_fragment(PackWriter& writer, const Fragment& fragment, int depth) {
  if (depth > kFragmentDepthLimit) {
    throw Error(
        ErrorCode::kUnsupported,
        fmt::format("engine functions are nested more than {} levels deep", kFragmentDepthLimit),
        "store a part of the expression in a computed column of its own");
  }
  if (fragment.is_argument()) return writer.integer(fragment.argument);
  writer.array(1 + fragment.children.size());
  writer.text(fragment.function);
  for (const Fragment& child : fragment.children) pack_fragment(writer, child, depth + 1);
}

void pack_value(PackWriter& writer, const Value& value) {
  switch (value.type) {
    case ValueType::kNull:
      return writer.nil();
    case ValueType::kBoolean:
      return writer.boolean(value.boolean);
    case ValueType::kInteger:
      return writer.integer(value.integer);
    case ValueType::kFloat:
      return writer.number(value.number);
    case ValueType::kText:
      return writer.text(value.text);
    case ValueType::kFloatArray:
    case ValueType::kRealArray:
      writer.map(1);
      writer.text(sql_type_name(value.type));
      return writer.binary(value.text);
    default:
      writer.map(1);
      writer.text(sql_type_name(value.type));
      writer.text(value.text);
  }
}

void pack_cell(PackWriter& writer, const Cell& cell) {
  if (const Value* value = std::get_if<Value>(&cell)) return pack_value(writer, *value);
  const CellFailure& failure = std::get<CellFailure>(cell);
  writer.map(1);
  writer.text("error");
  writer.array(2);
  writer.text(failure.type);
  writer.text(failure.message);
}

// A body that begins with its type, and after it the key "id" when there is one.
void begin(PackWriter& writer, std::string_view type, std::size_t other_keys) {
  writer.map(1 + other_keys);
  writer.text("type");
  writer.text(type);
}

void key_integer(PackWriter& writer, std::string_view key, std::int64_t value) {
  writer.text(key);
  writer.integer(value);
}

struct BodyPacker {
  PackWriter& writer;

  void operator()(const EngineHello& hello) const {
    begin(writer, "hello", 3);
    key_integer(writer, "protocol", hello.protocol);
    writer.text("media");
    writer.text(hello.media_folder);
    key_integer(writer, "frame_limit", static_cast<std::int64_t>(hello.frame_limit_bytes));
  }
  void operator()(const WorkerHello& hello) const {
    begin(writer, "hello", 2);
    key_integer(writer, "protocol", hello.protocol);
    writer.text("name");
    writer.text(hello.name);
  }
  void operator()(const EvaluateMessage& message) const {
    begin(writer, "evaluate", 3);
    key_integer(writer, "id", message.id);
    writer.text("fragments");
    writer.raw(pack_fragments(message.fragments));
    writer.text("rows");
    writer.array(message.rows.size());
    for (const std::vector<Value>& row : message.rows) {
      writer.array(row.size());
      for (const Value& value : row) pack_value(writer, value);
    }
  }
  void operator()(const AcceptedMessage& message) const {
    begin(writer, "accepted", 1);
    key_integer(writer, "id", message.id);
  }
  void operator()(const ResultMessage& message) const {
    begin(writer, "result", 3);
    key_integer(writer, "id", message.id);
    key_integer(writer, "row", static_cast<std::int64_t>(message.row));
    writer.text("cells");
    writer.array(message.cells.size());
    for (const Cell& cell : message.cells) pack_cell(writer, cell);
  }
  void operator()(const PingMessage& message) const {
    begin(writer, "ping", 1);
    key_integer(writer, "id", message.id);
  }
  void operator()(const PongMessage& message) const {
    begin(writer, "pong", 1);
    key_integer(writer, "id", message.id);
  }
  void operator()(const ByeMessage&) const { begin(writer, "bye", 0); }
  void operator()(const ErrorMessage& message) const {
    begin(writer, "error", 1);
    writer.text("message");
    writer.text(message.message);
  }
};

std::array<char, kFrameHeaderBytes> header_bytes(std::size_t body_bytes) {
  std::array<char, kFrameHeaderBytes> header;
  for (std::size_t i = 0; i < header.size(); ++i) {
    header[i] = static_cast<char>(body_bytes >> (8 * i));
  }
  return header;
}

void fill_header(std::string& out, std::size_t frame_start) {
  const std::array<char, kFrameHeaderBytes> header =
      header_bytes(out.size() - frame_start - kFrameHeaderBytes);
  std::copy(header.begin(), header.end(), out.begin() + static_cast<std::ptrdiff_t>(frame_start));
}

// ---- reading ----

// Nodes a fragment list may have: bounds the memory that few bytes can ask for.
constexpr std::size_t kFragmentNodeLimit = 100'000;

Fragment read_fragment(PackReader& reader, int depth, std::size_t& nodes) {
  if (depth > kFragmentDepthLimit) fail("an expression is nested too deep");
  if (++nodes > kFragmentNodeLimit) fail("an expression has too many terms");
  Fragment fragment;
  if (reader.next_type() == PackType::kInteger) {
    const std::int64_t argument = reader.integer();
    if (argument < 0 || argument > 1'000'000) fail("a wrong number of an argument column");
    fragment.argument = static_cast<int>(argument);
    return fragment;
  }
  const std::size_t count = reader.array();
  if (count == 0) fail("an empty call");
  fragment.function = reader.text();
  for (std::size_t i = 1; i < count; ++i) {
    fragment.children.push_back(read_fragment(reader, depth + 1, nodes));
  }
  return fragment;
}

std::optional<ValueType> tagged_type(std::string_view tag) {
  for (const ValueType type :
       {ValueType::kJson, ValueType::kImage, ValueType::kVideo, ValueType::kAudio,
        ValueType::kDocument, ValueType::kFloatArray, ValueType::kRealArray}) {
    if (tag == sql_type_name(type)) return type;
  }
  return std::nullopt;
}

CellFailure read_failure(PackReader& reader) {
  if (reader.array() != 2) fail("an error is not [type, message]");
  CellFailure failure;
  failure.type = reader.text();
  failure.message = reader.text();
  if (failure.type.empty() || first_invalid_utf8(failure.type)) fail("an error without a type");
  if (first_invalid_utf8(failure.message)) failure.message = "(its message is not UTF-8 text)";
  return failure;
}

Cell read_cell(PackReader& reader) {
  Value value;
  switch (reader.next_type()) {
    case PackType::kNil:
      reader.nil();
      return value;
    case PackType::kBoolean:
      value.type = ValueType::kBoolean;
      value.boolean = reader.boolean();
      return value;
    case PackType::kInteger:
      value.type = ValueType::kInteger;
      value.integer = reader.integer();
      return value;
    case PackType::kFloat:
      value.type = ValueType::kFloat;
      value.number = reader.number();
      return value;
    case PackType::kText:
      value.type = ValueType::kText;
      value.text = reader.text();
      break;
    case PackType::kMap: {
      if (reader.map() != 1) fail("a value is a map of more than one pair");
      const std::string_view tag = reader.text();
      if (tag == "error") return read_failure(reader);
      const std::optional<ValueType> type = tagged_type(tag);
      if (!type) fail("a value of an unknown type");
      value.type = *type;
      if (is_array(*type)) {
        value.text = reader.binary();
        if (value.text.size() % element_bytes(*type) != 0) fail("an array that ends in a number");
        return value;
      }
      value.text = reader.text();
      break;
    }
    default:
      fail("a value of an unknown type");
  }
  if (const std::optional<std::size_t> bad = first_invalid_utf8(value.text)) {
    return CellFailure{"encoding", fmt::format("the {} that the function gave has a byte that is "
                                               "not UTF-8 text (or is NUL) at offset {}",
                                               sql_type_name(value.type), *bad)};
  }
  return value;
}

Value read_value(PackReader& reader) {
  Cell cell = read_cell(reader);
  if (!std::holds_alternative<Value>(cell)) fail("an argument is not a value");
  return std::move(std::get<Value>(cell));
}

std::vector<Value> read_row(PackReader& reader) {
  std::vector<Value> row;
  const std::size_t count = reader.array();
  for (std::size_t i = 0; i < count; ++i) row.push_back(read_value(reader));
  return row;
}

// Every key a message may have; which of them were there, and of which message, is checked after.
struct Fields {
  std::string_view type;
  std::optional<std::int64_t> protocol, frame_limit, id, row;
  std::optional<std::string> media, name, message;
  std::optional<std::vector<Fragment>> fragments;
  std::optional<std::vector<std::vector<Value>>> rows;
  std::optional<std::vector<Cell>> cells;
};

template <typename Item, typename ReadItem>
std::vector<Item> read_array(PackReader& reader, const ReadItem& read_item) {
  std::vector<Item> items;
  const std::size_t count = reader.array();
  for (std::size_t i = 0; i < count; ++i) items.push_back(read_item(reader));
  return items;
}

void read_field(PackReader& reader, std::string_view key, Fields& fields) {
  if (key == "type") {
    fields.type = reader.text();
  } else if (key == "protocol") {
    fields.protocol = reader.integer();
  } else if (key == "frame_limit") {
    fields.frame_limit = reader.integer();
  } else if (key == "id") {
    fields.id = reader.integer();
  } else if (key == "row") {
    fields.row = reader.integer();
  } else if (key == "media") {
    fields.media = reader.text();
  } else if (key == "name") {
    fields.name = reader.text();
  } else if (key == "message") {
    fields.message = reader.text();
  } else if (key == "fragments") {
    std::size_t nodes = 0;
    fields.fragments = read_array<Fragment>(
        reader, [&](PackReader& inner) { return read_fragment(inner, 1, nodes); });
  } else if (key == "rows") {
    fields.rows = read_array<std::vector<Value>>(reader, read_row);
  } else if (key == "cells") {
    fields.cells = read_array<Cell>(reader, read_cell);
  } else {
    reader.skip();
  }
}

template <typename T>
T need(std::optional<T>& field, const char* key) {
  if (!field) fail(fmt::format("the key \"{}\" is missing", key));
  return std::move(*field);
}

std::size_t need_count(std::optional<std::int64_t>& field, const char* key) {
  const std::int64_t count = need(field, key);
  if (count < 0) fail(fmt::format("the key \"{}\" is negative", key));
  return static_cast<std::size_t>(count);
}

}  // namespace

void append_frame(std::string& out, const Message& message) {
  const std::size_t start = out.size();
  try {
    out.append(kFrameHeaderBytes, '\0');
    PackWriter writer(out);
    std::visit(BodyPacker{writer}, message);
    if (out.size() - start - kFrameHeaderBytes > kFrameLimitBytes) {
      throw Error(ErrorCode::kInvalidInput,
                  fmt::format("a message of {} is larger than a frame may be ({})",
                              human_bytes(out.size() - start), human_bytes(kFrameLimitBytes)));
    }
  } catch (...) {
    out.resize(start);
    throw;
  }
  fill_header(out, start);
}

std::string pack_fragments(std::span<const Fragment> fragments) {
  std::string packed;
  PackWriter writer(packed);
  writer.array(fragments.size());
  for (const Fragment& fragment : fragments) pack_fragment(writer, fragment, 1);
  return packed;
}

std::size_t append_evaluate_frame(std::string& out, std::int64_t id,
                                  std::string_view packed_fragments, const Batch& batch,
                                  std::span<const std::size_t> row_numbers,
                                  std::size_t soft_limit_bytes) {
  std::string rows;
  PackWriter row_writer(rows);
  const std::size_t room =
      kFrameLimitBytes - std::min(kFrameLimitBytes, packed_fragments.size() + 64);
  std::size_t count = 0;
  while (count < row_numbers.size() && rows.size() <= soft_limit_bytes) {
    const std::size_t before = rows.size();
    row_writer.array(batch.arguments.size());
    for (const std::vector<Value>& column : batch.arguments) {
      pack_value(row_writer, column[row_numbers[count]]);
    }
    if (rows.size() > room) {
      rows.resize(before);
      break;
    }
    ++count;
  }
  if (count == 0) return 0;
  const std::size_t start = out.size();
  out.append(kFrameHeaderBytes, '\0');
  PackWriter writer(out);
  begin(writer, "evaluate", 3);
  key_integer(writer, "id", id);
  writer.text("fragments");
  writer.raw(packed_fragments);
  writer.text("rows");
  writer.array(count);
  writer.raw(rows);
  fill_header(out, start);
  return count;
}

Message decode_message(std::string_view body, bool from_worker) {
  PackReader reader(body);
  Fields fields;
  const std::size_t count = reader.map();
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view key = reader.text();
    read_field(reader, key, fields);
  }
  if (!reader.at_end()) fail("bytes follow its end");

  if (fields.type == "hello" && from_worker) {
    return WorkerHello{need(fields.protocol, "protocol"), need(fields.name, "name")};
  }
  if (fields.type == "hello") {
    return EngineHello{need(fields.protocol, "protocol"), need(fields.media, "media"),
                       need_count(fields.frame_limit, "frame_limit")};
  }
  if (fields.type == "evaluate") {
    return EvaluateMessage{need(fields.id, "id"), need(fields.fragments, "fragments"),
                           need(fields.rows, "rows")};
  }
  if (fields.type == "accepted") return AcceptedMessage{need(fields.id, "id")};
  if (fields.type == "result") {
    return ResultMessage{need(fields.id, "id"), need_count(fields.row, "row"),
                         need(fields.cells, "cells")};
  }
  if (fields.type == "ping") return PingMessage{need(fields.id, "id")};
  if (fields.type == "pong") return PongMessage{need(fields.id, "id")};
  if (fields.type == "bye") return ByeMessage{};
  if (fields.type == "error") return ErrorMessage{need(fields.message, "message")};
  fail("an unknown type of message");
}

std::optional<std::string_view> FrameBuffer::next() {
  if (position_ > 0 && (empty() || position_ > (std::size_t{1} << 16))) {
    bytes_.erase(0, position_);
    position_ = 0;
  }
  const std::string_view left = std::string_view(bytes_).substr(position_);
  if (left.size() < kFrameHeaderBytes) return std::nullopt;
  std::size_t size = 0;
  for (std::size_t i = kFrameHeaderBytes; i-- > 0;) {
    size = (size << 8) | static_cast<std::uint8_t>(left[i]);
  }
  if (size == 0 || size > limit_bytes_) {
    throw Error(ErrorCode::kInvalidInput,
                fmt::format("malformed frame: it announces {} bytes, a frame has 1 to {}", size,
                            limit_bytes_));
  }
  if (left.size() - kFrameHeaderBytes < size) return std::nullopt;
  position_ += kFrameHeaderBytes + size;
  return left.substr(kFrameHeaderBytes, size);
}

}  // namespace coppice
