#include "functions/call.h"

#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "functions/failure.h"

namespace coppice::functions {
namespace {

const Value& value_of(const Call& call, std::size_t index, ValueType wanted) {
  const auto* value = std::get_if<Value>(&call.arguments.at(index));
  const bool widened =
      wanted == ValueType::kFloat && value != nullptr && value->type == ValueType::kInteger;
  if (value == nullptr || (value->type != wanted && !widened)) {
    throw FunctionFailure("type",
                          fmt::format("argument {} is not {}", index + 1, sql_type_name(wanted)));
  }
  return *value;
}

}  // namespace

Media& Call::media(std::size_t index) const {
  const auto* media = std::get_if<MediaPtr>(&arguments.at(index));
  if (media == nullptr) {
    throw FunctionFailure("type", fmt::format("argument {} is not a media value", index + 1));
  }
  return **media;
}

std::int64_t Call::integer(std::size_t index) const {
  return value_of(*this, index, ValueType::kInteger).integer;
}

double Call::number(std::size_t index) const {
  const Value& value = value_of(*this, index, ValueType::kFloat);
  return value.type == ValueType::kInteger ? static_cast<double>(value.integer) : value.number;
}

std::string Call::text(std::size_t index) const {
  return value_of(*this, index, ValueType::kText).text;
}

bool Call::boolean(std::size_t index) const {
  return value_of(*this, index, ValueType::kBoolean).boolean;
}

std::string Call::json_text(std::size_t index) const {
  return value_of(*this, index, ValueType::kJson).text;
}

nlohmann::json Call::json(std::size_t index) const {
  nlohmann::json json = nlohmann::json::parse(json_text(index), nullptr, false);
  if (json.is_discarded()) {
    throw FunctionFailure("type", fmt::format("argument {} is not JSON", index + 1));
  }
  return json;
}

std::vector<double> Call::numbers(std::size_t index) const {
  const nlohmann::json array = json(index);
  std::vector<double> numbers;
  bool valid = array.is_array();
  for (std::size_t i = 0; valid && i < array.size(); ++i) {
    valid = array[i].is_number() && std::isfinite(array[i].get<double>());
    if (valid) numbers.push_back(array[i].get<double>());
  }
  if (!valid) {
    throw FunctionFailure("range", fmt::format("argument {} is not a JSON array of numbers, as "
                                               "[0.5, 2]",
                                               index + 1));
  }
  return numbers;
}

Operand Call::give(Image image) const {
  return std::make_shared<Media>(Picture(std::move(image), limits));
}

Operand give_null() { return Value{}; }

Operand give_boolean(bool truth) {
  Value value;
  value.type = ValueType::kBoolean;
  value.boolean = truth;
  return value;
}

Operand give_integer(std::int64_t integer) {
  Value value;
  value.type = ValueType::kInteger;
  value.integer = integer;
  return value;
}

Operand give_number(double number) {
  Value value;
  value.type = ValueType::kFloat;
  value.number = number;
  return value;
}

Operand give_text(std::string text) {
  Value value;
  value.type = ValueType::kText;
  value.text = std::move(text);
  return value;
}

Operand give_json(const nlohmann::json& json) {
  Value value;
  value.type = ValueType::kJson;
  // Text that is not UTF-8 cannot get here; replacing is only the last resort.
  value.text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return value;
}

const Implementations& implementations() {
  static const Implementations all = [] {
    Implementations made;
    add_common_functions(made);
    add_image_functions(made);
    add_video_functions(made);
    add_audio_functions(made);
    add_document_functions(made);
    add_image_filters(made);
    add_box_functions(made);
    add_video_edits(made);
    add_audio_edits(made);
    add_image_iterators(made);
    add_video_iterators(made);
    add_video_segments(made);
    add_audio_iterators(made);
    add_document_iterators(made);
    add_json_functions(made);
    return made;
  }();
  return all;
}

}  // namespace coppice::functions
