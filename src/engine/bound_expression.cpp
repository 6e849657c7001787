#include "engine/bound_expression.h"

#include <fmt/core.h>

#include <algorithm>

#include "catalog/expressions.h"
#include "exec/binder.h"
#include "exec/kinds.h"
#include "sql/deparse.h"
#include "sql/make.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;

template <class Columns>
exec::ColumnKinds kinds_of(const Columns& columns, const catalog::ConstraintInfo* key) {
  exec::ColumnKinds kinds;
  for (const ColumnInfo& column : columns) {
    if (column.filling) continue;
    exec::ColumnKind kind;
    kind.name = column.name;
    kind.kind = column.media_kind();
    kind.key =
        key != nullptr && std::count(key->columns.begin(), key->columns.end(), column.id) > 0;
    kinds.push_back(std::move(kind));
  }
  return kinds;
}

}  // namespace

exec::ColumnKinds column_kinds(const TableInfo& table) {
  return kinds_of(table.columns, table.primary_key());
}

std::optional<exec::ColumnKinds> CatalogKinds::columns_of(const sql::VersionedName& relation) {
  sql::QualifiedName written = relation.table;
  if (relation.version) written.name += ":" + *relation.version;
  const sql::VersionedName split = context_.catalog.split_version(written);
  if (const auto table = context_.catalog.find_table(split.table)) {
    if (!split.version) return column_kinds(*table);
    const auto version = context_.catalog.version_at(*table, *split.version);
    return kinds_of(context_.catalog.columns_at(*table, version.version), table->primary_key());
  }
  if (relation.table.schema == "coppice_asof") return columns_of_version(relation.table.name);
  if (relation.table.schema == "coppice_store") return columns_of_working_view(relation.table.name);
  if (const auto view = context_.catalog.find_view(relation.table)) {
    const pg::Result columns = context_.main.exec_cached(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 "
        "AND NOT attisdropped ORDER BY attnum",
        {view->name.text()});
    exec::ColumnKinds kinds;
    for (int row = 0; row < columns.rows(); ++row) {
      exec::ColumnKind kind;
      kind.name = columns.text(row, 0);
      for (const auto& [name, media] : view->kinds) {
        if (name == kind.name) kind.kind = media;
      }
      kinds.push_back(std::move(kind));
    }
    return kinds;
  }
  return std::nullopt;
}

// "t12_v3": what "film:3" was resolved to.
std::optional<exec::ColumnKinds> CatalogKinds::columns_of_version(const std::string& view_name) {
  const std::size_t mark = view_name.rfind("_v");
  const pg::Result found = context_.main.exec_cached(
      "SELECT table_id FROM coppice.tables WHERE store_name = $1", {view_name.substr(0, mark)});
  if (mark == std::string::npos || found.rows() == 0) return std::nullopt;
  const auto table = context_.catalog.table_by_id(found.integer(0, 0));
  const std::int64_t version = std::stoll(view_name.substr(mark + 2));
  return kinds_of(context_.catalog.columns_at(*table, version), table->primary_key());
}

// "w12", which the rows of an UPDATE or DELETE are read from. Its last three columns are no media.
std::optional<exec::ColumnKinds> CatalogKinds::columns_of_working_view(
    const std::string& view_name) {
  if (!view_name.starts_with('w')) return std::nullopt;
  const pg::Result found = context_.main.exec_cached(
      "SELECT table_id FROM coppice.tables WHERE store_name = $1", {"t" + view_name.substr(1)});
  if (found.rows() == 0) return std::nullopt;
  exec::ColumnKinds kinds = column_kinds(*context_.catalog.table_by_id(found.integer(0, 0)));
  for (const char* name : {"_row", "_from", "_to", "_parent"}) {
    kinds.push_back({name, std::nullopt});
  }
  return kinds;
}

BoundExpression bind_column_expression(EngineContext& context, const TableInfo& table,
                                       const ColumnInfo& column) {
  BoundExpression bound{sql::parse_expression(*column.expression), {}, false};
  CatalogKinds relations(context);
  exec::BindContext binding{
      bound.expression.arena(), context.functions, relations, bound.expression.source(), 0, {}};
  const exec::Scope scope = exec::Scope::of_table(table.name.name, column_kinds(table));
  exec::bind_expression(bound.expression.root(), scope, binding);
  bound.uses_engine = binding.engine_calls > 0;
  if (!binding.literals.empty()) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("the expression of column \"{}\" names a file", column.name),
                "a computed column reads media from columns; put the file into one");
  }
  const auto kind = exec::infer_kind(bound.expression.node(), scope, binding.kinds());
  if (kind && column.media_kind() && *kind != *column.media_kind()) {
    throw Error(ErrorCode::kType,
                fmt::format("column \"{}\" is {}, but its expression gives {}", column.name,
                            exec::with_article(*column.media_kind()), exec::with_article(*kind)));
  }
  sql::Statement copy = sql::parse_expression(sql::deparse_expression(bound.expression.node()));
  catalog::use_store_names(table, copy.root(), copy.arena());
  bound.store_sql = sql::deparse_expression(copy.node());
  return bound;
}

// The text that a worker gives is read by the column's type as it is.
bool is_of_column(ValueType result, const ColumnInfo& column) {
  const std::string& type = column.type;
  switch (result) {
    case ValueType::kBoolean:
      return type == "boolean";
    case ValueType::kInteger:
      return type == "bigint" || type == "integer" || type == "smallint" || type == "numeric";
    case ValueType::kFloat:
      return type == "double precision" || type == "real" || type == "numeric";
    case ValueType::kText:
      return type == "text" || type == "character varying";
    case ValueType::kJson:
      return type == "jsonb" || type == "json";
    case ValueType::kFloatArray:
    case ValueType::kRealArray:
      return type == "double precision[]" || type == "real[]";
    default:
      return column.media_kind().has_value();
  }
}

sql::Node* as_assigned(EngineContext& context, const ColumnInfo& column, sql::Node* expression,
                       sql::Arena& arena) {
  if (column.media_kind()) return expression;
  const auto* call = sql::as<PgQuery__FuncCall>(expression);
  const auto* signature = call ? exec::bound_signature(*call, context.functions) : nullptr;
  if (signature != nullptr && is_of_column(signature->result, column)) return expression;
  sql::Node* value = sql::make::type_cast(arena, expression, catalog::assignment_type(column.type));
  const std::size_t open = column.type.find('(');
  const std::string name = column.type.substr(0, open);
  const bool text = name == "character" || name == "character varying";
  if (open == std::string::npos || column.type.ends_with("[]") ||
      !(text || name == "bit" || name == "bit varying")) {
    return value;
  }
  // The cast of an assignment, which fails on what an explicit one would cut.
  constexpr int kVarlenaHeader = 4;  // counted in the length of texts, not of bits
  const int length = std::stoi(column.type.substr(open + 1)) + (text ? kVarlenaHeader : 0);
  const char* function = name == "character"           ? "bpchar"
                         : name == "character varying" ? "varchar"
                         : name == "bit"               ? "bit"
                                                       : "varbit";
  sql::Node* const arguments[] = {value, sql::make::integer_constant(arena, length),
                                  sql::make::boolean_constant(arena, false)};
  return sql::make::function_call(arena, "pg_catalog", function, arguments);
}

}  // namespace coppice::engine
