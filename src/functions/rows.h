// IteratorRows: the value of an iterator, put together row by row.
//
// Model    A jsonb array of objects, one a row, with the keys of Signature::columns. Media in a row
//          are names of objects that are in the store already: so an iterator keeps names, not
//          pictures, and its memory does not grow with the length of a video.
// Errors   FunctionFailure "limit" past Limits::max_rows or max_rows_bytes, the most that fits in
//          one message of the worker protocol.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "functions/call.h"

namespace coppice::functions {

class IteratorRows {
 public:
  explicit IteratorRows(const Limits& limits) : limits_(limits) {}

  void add(const nlohmann::json& row);
  // The same of an object that is JSON text already.
  void add_text(std::string_view row);
  // Nothing may be added after it.
  Operand give();

 private:
  const Limits& limits_;
  std::string text_ = "[";
  std::int64_t count_ = 0;
};

// Throws before any work is done when a call would give more rows than are allowed. `count` may be
// of any size; NaN counts as too many.
void check_row_count(double count, const Limits& limits);

// What an iterator was asked for by name: exactly one of the alternatives must be given. Throws
// FunctionFailure "range" that names them all otherwise.
struct Alternative {
  const char* name;
  bool given;
};
void check_exactly_one(std::initializer_list<Alternative> alternatives);

}  // namespace coppice::functions
