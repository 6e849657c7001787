#include "backup/measures.h"

#include <nlohmann/json.hpp>

namespace coppice {

using nlohmann::json;

namespace {

struct Number {
  const char* name;
  std::uint64_t Measures::*member;
};
constexpr Number kNumbers[] = {
    {"rows_before", &Measures::rows_before},
    {"rows_new", &Measures::rows_new},
    {"rows_gone", &Measures::rows_gone},
    {"row_bytes", &Measures::row_bytes},
    {"row_packed_bytes", &Measures::row_packed_bytes},
    {"media_before", &Measures::media_before},
    {"media_added", &Measures::media_added},
    {"media_removed", &Measures::media_removed},
    {"media_bytes", &Measures::media_bytes},
    {"media_packed_bytes", &Measures::media_packed_bytes},
    {"given_bytes", &Measures::given_bytes},
    {"new_bytes", &Measures::new_bytes},
};

}  // namespace

json to_json(const Measures& measures) {
  json tables = json::array();
  for (const Measures::Table& table : measures.tables) {
    tables.push_back({{"table_id", table.table_id},
                      {"name", table.name},
                      {"before", table.before},
                      {"new", table.fresh},
                      {"gone", table.gone}});
  }
  json content = {{"base", measures.base}, {"tables", tables}};
  for (const Number& number : kNumbers) content[number.name] = measures.*number.member;
  return content;
}

Measures measures_from(const json& content) {
  Measures measures;
  measures.base = content.at("base").get<std::string>();
  for (const Number& number : kNumbers) {
    measures.*number.member = content.at(number.name).get<std::uint64_t>();
  }
  for (const json& item : content.at("tables")) {
    measures.tables.push_back(
        {item.at("table_id").get<std::int64_t>(), item.at("name").get<std::string>(),
         item.at("before").get<std::uint64_t>(), item.at("new").get<std::uint64_t>(),
         item.at("gone").get<std::uint64_t>()});
  }
  return measures;
}

}  // namespace coppice
