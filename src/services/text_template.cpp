#include "services/text_template.h"

#include <fmt/core.h>

#include <charconv>

#include "base/error.h"
#include "base/text.h"
#include "services/packed_array.h"

namespace coppice::services {
namespace {

[[noreturn]] void refuse(std::string_view where, const std::string& why, const std::string& hint) {
  throw Error(ErrorCode::kUsage, fmt::format("{}: {}", where, why), hint);
}

TextTemplate::Piece read_place(std::string_view inner, const std::vector<Parameter>& parameters,
                               std::string_view where) {
  TextTemplate::Piece piece;
  std::string_view name = inner;
  constexpr std::string_view kMime = ".mime";
  if (name.ends_with(kMime)) {
    name.remove_suffix(kMime.size());
    piece.mime_type = true;
  }
  std::vector<std::string> names;
  std::size_t number = parameters.size();
  const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), number);
  const bool is_number = failed == std::errc() && end == name.data() + name.size();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    names.push_back(parameters[i].name);
    if (is_number ? i == number : parameters[i].name == name) piece.argument = static_cast<int>(i);
  }
  if (piece.argument < 0) {
    const std::string meant = did_you_mean(name, names);
    refuse(where, fmt::format("there is no parameter {{{}}}", inner),
           (meant.empty() ? "there are: " + join(names, ", ") : meant) + "; {{ and }} are braces");
  }
  if (piece.mime_type && !is_media(parameters[static_cast<std::size_t>(piece.argument)].type)) {
    refuse(where, fmt::format("{{{}}}: only media have a MIME type", inner), "leave .mime out");
  }
  return piece;
}

}  // namespace

TextTemplate parse_template(std::string_view text, const std::vector<Parameter>& parameters,
                            std::string_view where) {
  TextTemplate result;
  std::string plain;
  const auto end_plain = [&] {
    if (!plain.empty()) result.pieces.push_back({std::move(plain)});
    plain.clear();
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c != '{' && c != '}') {
      plain += c;
      continue;
    }
    if (at + 1 < text.size() && text[at + 1] == c) {
      plain += c;
      ++at;
      continue;
    }
    const std::size_t close = text.find('}', at);
    if (c == '}' || close == std::string_view::npos) {
      refuse(where, fmt::format("a brace at character {} has no other half", at + 1),
             "{{ and }} are braces");
    }
    end_plain();
    result.pieces.push_back(read_place(text.substr(at + 1, close - at - 1), parameters, where));
    at = close;
  }
  end_plain();
  return result;
}

void note_uses(const TextTemplate& text, std::vector<bool>& used) {
  for (const TextTemplate::Piece& piece : text.pieces) {
    if (piece.argument >= 0) used[static_cast<std::size_t>(piece.argument)] = true;
  }
}

void require_all_used(const std::vector<bool>& used, const std::vector<Parameter>& parameters,
                      std::string_view where) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (used[i]) continue;
    refuse(where, fmt::format("the parameter {} is not used", parameters[i].name),
           fmt::format("write {{{}}} where it belongs, or take the parameter away",
                       parameters[i].name));
  }
}

std::string value_text(const Value& value) {
  switch (value.type) {
    case ValueType::kBoolean:
      return value.boolean ? "true" : "false";
    case ValueType::kInteger:
      return std::to_string(value.integer);
    case ValueType::kFloat:
      return fmt::format("{}", value.number);
    case ValueType::kFloatArray:
    case ValueType::kRealArray:
      return array_json(value);
    default:
      return value.text;
  }
}

}  // namespace coppice::services
