#include "functions/rows.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "functions/failure.h"

namespace coppice::functions {
namespace {

[[noreturn]] void fail_too_many(const Limits& limits) {
  throw FunctionFailure("limit", fmt::format("more than {} rows would come of one value: ask for "
                                             "fewer, or cut the value before",
                                             limits.max_rows));
}

}  // namespace

void IteratorRows::add(const nlohmann::json& row) {
  add_text(row.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void IteratorRows::add_text(std::string_view row) {
  if (++count_ > limits_.max_rows) fail_too_many(limits_);
  if (count_ > 1) text_ += ',';
  text_ += row;
  if (text_.size() > limits_.max_rows_bytes) {
    throw FunctionFailure("limit", fmt::format("the rows of one value have more than {} bytes: ask "
                                               "for fewer, or cut the value before",
                                               limits_.max_rows_bytes));
  }
}

Operand IteratorRows::give() {
  Value value;
  value.type = ValueType::kJson;
  value.text = std::move(text_) + "]";
  return value;
}

void check_row_count(double count, const Limits& limits) {
  if (!(count <= static_cast<double>(limits.max_rows))) fail_too_many(limits);
}

void check_exactly_one(std::initializer_list<Alternative> alternatives) {
  std::string names;
  int given = 0;
  std::size_t index = 0;
  for (const Alternative& alternative : alternatives) {
    const bool last = ++index == alternatives.size();
    names += (names.empty() ? "" : last ? " and " : ", ") + std::string(alternative.name);
    if (alternative.given) ++given;
  }
  if (given == 1) return;
  throw FunctionFailure("range", fmt::format("exactly one of {} must be given, not {}", names,
                                             given == 0 ? "none" : std::to_string(given)));
}

}  // namespace coppice::functions
