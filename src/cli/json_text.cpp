#include "cli/json_text.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace coppice::cli {
namespace {

constexpr std::array<std::string_view, 13> kNumberTypes = {
    "smallint", "integer", "bigint", "real",   "double precision", "numeric", "decimal",
    "int2",     "int4",    "int8",   "float4", "float8",           "oid"};

JsonKind scalar_kind(std::string_view type) {
  std::string_view base = type.substr(0, type.find('('));
  while (base.ends_with(' ')) base.remove_suffix(1);
  if (base.starts_with("pg_catalog.")) base.remove_prefix(11);
  if (base == "boolean" || base == "bool") return JsonKind::kBoolean;
  if (base == "json" || base == "jsonb") return JsonKind::kJson;
  if (std::find(kNumberTypes.begin(), kNumberTypes.end(), base) != kNumberTypes.end()) {
    return JsonKind::kNumber;
  }
  return JsonKind::kString;
}

void append_scalar(std::string& json, JsonKind kind, std::string_view text) {
  switch (kind) {
    case JsonKind::kNumber:
      // PostgreSQL writes numbers as JSON does, except NaN and Infinity.
      if (!text.empty() && text.back() >= '0' && text.back() <= '9') {
        json += text;
        return;
      }
      break;
    case JsonKind::kBoolean:
      json += text == "t" || text == "true" ? "true" : "false";
      return;
    case JsonKind::kJson:
      // A line break can only stand between tokens here; a row must stay on one line.
      for (const char c : text) json += c == '\n' || c == '\r' ? ' ' : c;
      return;
    case JsonKind::kString:
      break;
  }
  append_json_string(json, text);
}

// Reads PostgreSQL's array text ({1,NULL,"a \"b\""}, nested for more dimensions). False when the
// text is not of that form: the caller then gives it as a string.
class ArrayReader {
 public:
  ArrayReader(std::string_view text, JsonKind kind) : rest_(text), kind_(kind) {
    // Bounds other than 1 come first: "[0:1]={5,6}".
    if (rest_.starts_with('[')) rest_.remove_prefix(std::min(rest_.find('=') + 1, rest_.size()));
  }

  bool append_to(std::string& json) { return array(json) && rest_.empty(); }

 private:
  bool array(std::string& json) {
    if (!take('{')) return false;
    json += '[';
    bool first = true;
    while (!take('}')) {
      if (!first && !take(',')) return false;
      if (!first) json += ',';
      first = false;
      if (!element(json)) return false;
    }
    json += ']';
    return true;
  }

  bool element(std::string& json) {
    if (rest_.starts_with('{')) return array(json);
    std::string text;
    if (take('"')) {
      while (!take('"')) {
        take('\\');
        if (rest_.empty()) return false;
        text += rest_.front();
        rest_.remove_prefix(1);
      }
    } else {
      const std::size_t end = rest_.find_first_of(",}");
      if (end == std::string_view::npos || end == 0) return false;
      text = rest_.substr(0, end);
      rest_.remove_prefix(end);
      if (text == "NULL") {
        json += "null";
        return true;
      }
    }
    append_scalar(json, kind_, text);
    return true;
  }

  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view rest_;
  JsonKind kind_;
};

}  // namespace

JsonType json_type(std::string_view sql_type) {
  JsonType type;
  while (sql_type.ends_with("[]")) {
    type.is_array = true;
    sql_type.remove_suffix(2);
  }
  type.kind = scalar_kind(sql_type);
  return type;
}

void append_json_string(std::string& json, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  json += '"';
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    json.append(text, begin, i - begin);
    begin = i + 1;
    json += '\\';
    switch (c) {
      case '"':
      case '\\':
        json += static_cast<char>(c);
        break;
      case '\n':
        json += 'n';
        break;
      case '\r':
        json += 'r';
        break;
      case '\t':
        json += 't';
        break;
      default:
        json += "u00";
        json += kHex[c >> 4];
        json += kHex[c & 15];
    }
  }
  json.append(text, begin);
  json += '"';
}

void append_json_value(std::string& json, const JsonType& type,
                       const std::optional<std::string_view>& value) {
  if (!value) {
    json += "null";
    return;
  }
  if (type.is_array) {
    const std::size_t before = json.size();
    if (ArrayReader(*value, type.kind).append_to(json)) return;
    json.resize(before);
    append_json_string(json, *value);
    return;
  }
  append_scalar(json, type.kind, *value);
}

void JsonObject::key(std::string_view name) {
  json_ += json_.empty() ? '{' : ',';
  append_json_string(json_, name);
  json_ += ':';
}

std::string json_array(const std::vector<std::string>& jsons) {
  return "[" + join(jsons, ",") + "]";
}

std::string json_strings(const std::vector<std::string>& texts) {
  std::vector<std::string> jsons(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) append_json_string(jsons[i], texts[i]);
  return json_array(jsons);
}

JsonObject& JsonObject::add(std::string_view name, std::string_view text) {
  key(name);
  append_json_string(json_, text);
  return *this;
}

JsonObject& JsonObject::add(std::string_view name, std::int64_t number) {
  key(name);
  json_ += std::to_string(number);
  return *this;
}

JsonObject& JsonObject::add(std::string_view name, std::uint64_t number) {
  key(name);
  json_ += std::to_string(number);
  return *this;
}

JsonObject& JsonObject::add(std::string_view name, bool value) {
  key(name);
  json_ += value ? "true" : "false";
  return *this;
}

JsonObject& JsonObject::add_json(std::string_view name, std::string_view json) {
  key(name);
  json_ += json;
  return *this;
}

}  // namespace coppice::cli
