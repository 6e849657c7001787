// JSON text: SQL values and messages as JSON, appended to a string.
//
// Model    A value's SQL type decides: numbers and booleans are JSON's own, json is passed on,
// arrays
//          become JSON arrays, everything else is a string. NaN and infinities, which JSON cannot
//          say, are strings.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coppice::cli {

enum class JsonKind { kString, kNumber, kBoolean, kJson };

struct JsonType {
  JsonKind kind = JsonKind::kString;
  bool is_array = false;
};

// "numeric(10,2)" is a number, "bigint[]" an array of numbers, "image" a string.
JsonType json_type(std::string_view sql_type);

void append_json_string(std::string& json, std::string_view text);
void append_json_value(std::string& json, const JsonType& type,
                       const std::optional<std::string_view>& value);

// JSON texts, or texts as JSON strings, in an array.
std::string json_array(const std::vector<std::string>& jsons);
std::string json_strings(const std::vector<std::string>& texts);

// Builds one object: JsonObject().add("a", 1).text().
class JsonObject {
 public:
  JsonObject& add(std::string_view key, std::string_view text);
  JsonObject& add(std::string_view key, const char* text) {
    return add(key, std::string_view(text));
  }
  JsonObject& add(std::string_view key, std::int64_t number);
  JsonObject& add(std::string_view key, std::uint64_t number);
  JsonObject& add(std::string_view key, bool value);
  JsonObject& add_json(std::string_view key, std::string_view json);
  std::string text() const { return json_.empty() ? "{}" : json_ + "}"; }

 private:
  void key(std::string_view name);
  std::string json_;
};

}  // namespace coppice::cli
