// Call: one call of an engine function within a row, as its implementation sees it.
//
// Model    An Operand is a value or a medium, not stored yet perhaps. No argument is NULL: such
//          calls are NULL without running. An implementation gives an operand or throws.
// Errors   FunctionFailure "type" when an argument is not of the parameter's type.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "functions/image.h"
#include "functions/limits.h"
#include "functions/media.h"
#include "workers/value.h"

namespace coppice::functions {

using MediaPtr = std::shared_ptr<Media>;
using Operand = std::variant<Value, MediaPtr>;

struct Call {
  const std::vector<Operand>& arguments;
  MediaStore& store;
  const Limits& limits;

  Media& media(std::size_t index) const;
  Picture& picture(std::size_t index) const { return media(index).picture(); }
  std::int64_t integer(std::size_t index) const;
  double number(std::size_t index) const;
  std::string text(std::size_t index) const;
  bool boolean(std::size_t index) const;
  nlohmann::json json(std::size_t index) const;
  // As it came: with every digit of its numbers.
  std::string json_text(std::size_t index) const;
  // A JSON array of numbers, each finite. FunctionFailure "range" for anything else.
  std::vector<double> numbers(std::size_t index) const;

  // The first argument, as most functions need it.
  Video& video() const { return media(0).video(); }
  Audio& audio() const { return media(0).audio(); }
  Document& document() const { return media(0).document(); }

  Operand give(Image image) const;
};

Operand give_null();
Operand give_boolean(bool truth);
Operand give_integer(std::int64_t integer);
Operand give_number(double number);
Operand give_text(std::string text);
Operand give_json(const nlohmann::json& json);

using Implementation = Operand (*)(const Call&);
using Implementations = std::unordered_map<std::string, Implementation>;

void add_common_functions(Implementations& all);
void add_image_functions(Implementations& all);
void add_video_functions(Implementations& all);
void add_audio_functions(Implementations& all);
void add_document_functions(Implementations& all);
void add_image_filters(Implementations& all);
void add_box_functions(Implementations& all);
void add_video_edits(Implementations& all);
void add_audio_edits(Implementations& all);
void add_image_iterators(Implementations& all);
void add_video_iterators(Implementations& all);
void add_video_segments(Implementations& all);
void add_audio_iterators(Implementations& all);
void add_document_iterators(Implementations& all);
void add_json_functions(Implementations& all);

// By Signature::id, the four "probe(<kind>)", and "store(image)".
const Implementations& implementations();

}  // namespace coppice::functions
