// Value, Cell, Fragment, Batch: what travels between the engine and its function workers.
//
// Model    A Value is one SQL value. Media values are names ("media:<sha256>.<ext>"), never bytes
//          or paths. A Cell is what a function call gives for one row: a Value, or a CellFailure
//          (data, not an Error). A Fragment is a tree of engine function calls over the argument
//          columns of a batch; a whole chain over media is one fragment and stays decoded inside
//          the worker.
// Source   docs/formats/worker_protocol.md
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace coppice {

enum class ValueType {
  kNull,
  kBoolean,
  kInteger,
  kFloat,
  kText,
  kJson,
  kImage,
  kVideo,
  kAudio,
  kDocument,
  kFloatArray,  // float8[]
  kRealArray    // real[]
};

// True for kImage, kVideo, kAudio and kDocument.
bool is_media(ValueType type);
// True for kFloatArray and kRealArray: numbers in one dimension, none of them NULL.
bool is_array(ValueType type);
// Bytes of one number of an array type.
std::size_t element_bytes(ValueType type);
// "boolean", "bigint", "float8", "text", "jsonb", "image", "float8[]", …: the SQL name.
std::string sql_type_name(ValueType type);

struct Value {
  ValueType type = ValueType::kNull;
  bool boolean = false;
  std::int64_t integer = 0;
  double number = 0;
  std::string text;  // kText; kJson as JSON text; media as its name; arrays as packed
                     // little-endian numbers

  bool is_null() const { return type == ValueType::kNull; }
  bool operator==(const Value&) const = default;
};

struct CellFailure {
  std::string type;  // a stable word: "decode", "timeout", "crash", "type", "limit", "missing", …
  std::string message;  // what, where, what to do
  bool operator==(const CellFailure&) const = default;
};

using Cell = std::variant<Value, CellFailure>;

// One node of a fragment: an argument column, or a call of an engine function on child nodes.
struct Fragment {
  int argument = -1;     // >= 0: the value of that argument column
  std::string function;  // otherwise: Signature::id of the called overload, e.g. "width(image)"
  std::vector<Fragment> children;  // one per parameter, defaults filled in

  bool is_argument() const { return argument >= 0; }
  bool operator==(const Fragment&) const = default;
};

// Columnar: arguments[column][row], every column of the same length.
struct Batch {
  std::size_t row_count = 0;
  std::vector<std::vector<Value>> arguments;
};

// results[fragment][row]
using BatchResult = std::vector<std::vector<Cell>>;

}  // namespace coppice
