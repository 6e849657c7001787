#include "catalog/error_translation.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace coppice::catalog {
namespace {

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

const ColumnInfo* column_of_physical(const TableInfo& table, std::string_view physical) {
  for (const ColumnInfo& column : table.columns) {
    if (column.physical == physical) return &column;
  }
  return nullptr;
}

// Replaces whole words that are physical columns: in "Key (c3, c4)=(1, 2) already exists.".
std::string with_user_columns(const TableInfo& table, const std::string& text) {
  std::string result;
  std::size_t at = 0;
  const auto is_word = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
  };
  while (at < text.size()) {
    std::size_t end = at;
    while (end < text.size() && is_word(text[end])) ++end;
    if (end == at) {
      result += text[at++];
      continue;
    }
    const std::string word = text.substr(at, end - at);
    const ColumnInfo* column = column_of_physical(table, word);
    result += column != nullptr ? sql::quote_identifier(column->name) : word;
    at = end;
  }
  return result;
}

// "t12" and "c3" wherever PostgreSQL puts them in quotes, or behind COPY.
std::string with_user_names(const TableInfo& table, std::string message) {
  const std::string& relation = table.name.name;
  for (const std::string& internal : {table.store, "w" + table.store.substr(1)}) {
    replace_all(message, "\"" + internal + "\"", "\"" + relation + "\"");
    replace_all(message, "COPY " + internal + ",", "COPY " + relation + ",");
  }
  // COPY into a staging table: "s12_34".
  if (message.starts_with("COPY s" + table.store.substr(1) + "_")) {
    message = "COPY " + relation + message.substr(std::min(message.find(','), message.size()));
  }
  for (const ColumnInfo& column : table.columns) {
    replace_all(message, "\"" + column.physical + "\"", "\"" + column.name + "\"");
    replace_all(message, "column " + column.physical + ":", "column " + column.name + ":");
  }
  return message;
}

// The key names before ")=(" are ours; the values after it are the user's and stay untouched.
std::string key_detail(const TableInfo& table, const std::string& detail) {
  const std::size_t values = detail.find(")=(");
  if (values == std::string::npos) return detail;
  return with_user_columns(table, detail.substr(0, values)) + detail.substr(values);
}

// The row that a compute trigger was at, told by its key, or by its first filled columns.
std::string describe_row(const TableInfo& table, const std::string& row_json) {
  const nlohmann::json row = nlohmann::json::parse(row_json, nullptr, false);
  if (!row.is_object()) return "a row";
  std::vector<const ColumnInfo*> shown;
  if (const ConstraintInfo* key = table.primary_key()) {
    for (const std::int64_t id : key->columns) shown.push_back(table.column_by_id(id));
  } else {
    for (const ColumnInfo* column : table.visible_columns()) {
      if (!column->computed() && shown.size() < 3) shown.push_back(column);
    }
  }
  std::vector<std::string> parts;
  for (const ColumnInfo* column : shown) {
    if (column == nullptr || !row.contains(column->physical)) continue;
    const nlohmann::json& value = row[column->physical];
    parts.push_back(column->name + " = " +
                    (value.is_string() ? value.get<std::string>() : value.dump()));
  }
  return "the row with " + join(parts, ", ");
}

}  // namespace

Error translate(const pg::ServerError& error, const TableInfo& table) {
  const pg::ServerErrorFields& fields = error.fields();
  const std::string& relation = table.name.name;
  std::string hint = error.hint();
  if (fields.sqlstate == "CP003") {
    const ColumnInfo* column = column_of_physical(table, fields.column);
    return Error(
        ErrorCode::kComputation,
        fmt::format("computed column \"{}\" failed for {}: {}",
                    column != nullptr ? column->name : fields.column,
                    describe_row(table, fields.detail), fields.primary),
        "correct the row, or let such cells be NULL: ALTER COLUMN … SET (on_error = 'ignore')");
  }
  const std::string where_in_file =
      !table.store.empty() && fields.context.starts_with("COPY ")
          ? " (" + with_user_names(table, fields.context.substr(0, fields.context.find('\n'))) + ")"
          : "";
  if (fields.sqlstate == "23514") {  // check violation: ours stand for NOT NULL too
    const bool by_existing_rows =
        fields.primary.find("is violated by some row") != std::string::npos;
    const std::string not_null_prefix = table.store + "_";
    if (fields.constraint.ends_with("_not_null") &&
        fields.constraint.starts_with(not_null_prefix)) {
      const std::string physical = fields.constraint.substr(
          not_null_prefix.size(), fields.constraint.size() - not_null_prefix.size() - 9);
      if (const ColumnInfo* column = column_of_physical(table, physical)) {
        return Error(ErrorCode::kConstraint,
                     by_existing_rows
                         ? fmt::format("column \"{}\" of relation \"{}\" contains null values",
                                       column->name, relation)
                         : fmt::format("null value in column \"{}\" of relation \"{}\" violates "
                                       "not-null constraint{}",
                                       column->name, relation, where_in_file),
                     hint);
      }
    }
    for (const ConstraintInfo& constraint : table.constraints) {
      if (constraint.store_name != fields.constraint) continue;
      if (by_existing_rows) {
        return Error(
            ErrorCode::kConstraint,
            fmt::format("check constraint \"{}\" of relation \"{}\" is violated by some row",
                        constraint.name, relation),
            hint);
      }
      return Error(
          ErrorCode::kConstraint,
          fmt::format("new row for relation \"{}\" violates check constraint \"{}\": {}{}",
                      relation, constraint.name, constraint.expression.value_or(""), where_in_file),
          hint);
    }
  }
  if (fields.sqlstate == "23505") {
    std::string name = fields.constraint;
    for (const ConstraintInfo& constraint : table.constraints) {
      if (constraint.store_name == fields.constraint) name = constraint.name;
    }
    for (const IndexInfo& index : table.indexes) {
      if (index.store_name == fields.constraint) name = index.name;
    }
    const bool by_existing_rows = fields.primary.starts_with("could not create");
    return Error(ErrorCode::kConstraint,
                 fmt::format("{} \"{}\": {}{}",
                             by_existing_rows ? "could not create unique index"
                                              : "duplicate key value violates unique constraint",
                             name, key_detail(table, fields.detail), where_in_file),
                 hint);
  }
  if (table.store.empty()) return Error(error.code(), error.message(), hint);  // not made yet
  return Error(error.code(), with_user_names(table, error.message()) + where_in_file, hint);
}

}  // namespace coppice::catalog
