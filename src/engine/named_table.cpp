#include "engine/named_table.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"

namespace coppice::engine {

using catalog::ColumnInfo;

catalog::TablePointer table_named(EngineContext& context, const std::string& name) {
  const sql::QualifiedName parsed = sql::parse_qualified_name(name);
  context.forget_catalog();
  if (catalog::TablePointer table = context.catalog.find_table(parsed)) return table;
  if (context.catalog.find_view(parsed) != nullptr) {
    throw Error(ErrorCode::kRefused,
                fmt::format("\"{}\" is a view and has no versions of its own", name),
                "name the table that it reads; see: coppice lineage " + name);
  }
  context.catalog.throw_unknown_table(parsed);
}

std::string row_key_sql(const catalog::TableInfo& table, const std::vector<ColumnInfo>& columns,
                        const std::string& alias) {
  const std::string row_number = fmt::format("'_row = ' || {}._row", alias);
  const catalog::ConstraintInfo* key = table.primary_key();
  if (key == nullptr) return row_number;
  std::vector<std::string> parts;
  for (const std::int64_t id : key->columns) {
    const auto column = std::find_if(columns.begin(), columns.end(),
                                     [&](const ColumnInfo& c) { return c.id == id; });
    if (column == columns.end()) return row_number;
    parts.push_back(fmt::format("{} || coalesce({}.{}::text, 'NULL')",
                                sql::quote_literal(column->name + " = "), alias, column->physical));
  }
  return fmt::format("concat_ws(', ', {})", join(parts, ", "));
}

}  // namespace coppice::engine
