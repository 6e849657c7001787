#include "catalog/catalog.h"

#include <fmt/core.h>

#include <charconv>

#include "base/error.h"
#include "base/text.h"

namespace coppice::catalog {
namespace {

using pg::Result;

std::pair<std::string, std::string> key_of(const sql::QualifiedName& name) {
  return {name.schema.empty() ? "public" : name.schema, name.name};
}

std::optional<std::string> optional_text(const Result& result, int row, int column) {
  if (const auto value = result.value(row, column)) return std::string(*value);
  return std::nullopt;
}

// "{1,2,3}", as PostgreSQL writes a bigint[].
std::vector<std::int64_t> parse_ids(std::string_view text) {
  std::vector<std::int64_t> ids;
  text = text.substr(1, text.size() - 2);
  if (text.empty()) return ids;
  for (const std::string& part : split(text, ',')) ids.push_back(std::stoll(part));
  return ids;
}

constexpr std::string_view kColumnFields =
    "column_id, physical, name, position, type, not_null, default_sql, identity, sequence, "
    "expression, uses_engine, on_error, backup, comment, state, from_version, url_policy, derived";

ColumnInfo read_column(const Result& result, int row) {
  ColumnInfo column;
  column.id = result.integer(row, 0);
  column.physical = result.text(row, 1);
  column.name = result.text(row, 2);
  column.position = static_cast<int>(result.integer(row, 3));
  column.type = result.text(row, 4);
  column.not_null = result.boolean(row, 5);
  column.default_sql = optional_text(result, row, 6);
  column.identity = optional_text(result, row, 7);
  column.sequence = optional_text(result, row, 8);
  column.expression = optional_text(result, row, 9);
  column.uses_engine = result.boolean(row, 10);
  column.on_error = result.text(row, 11) == "ignore" ? OnError::kIgnore : OnError::kAbort;
  column.backup = result.text(row, 12);
  column.comment = optional_text(result, row, 13);
  column.filling = result.text(row, 14) == "filling";
  column.from_version = result.integer(row, 15);
  column.references = result.text(row, 16);
  column.derived = optional_text(result, row, 17);
  return column;
}

// What coppice.materialized_views says, from column `first` on; nothing when the table is no view.
std::optional<MaterializedInfo> read_materialized(const Result& head, int first) {
  if (head.is_null(0, first)) return std::nullopt;
  MaterializedInfo view;
  view.parent_id = head.integer(0, first);
  view.parent_alias = head.text(0, first + 1);
  view.condition = optional_text(head, 0, first + 2);
  view.definition = head.text(0, first + 3);
  view.first_version = head.integer(0, first + 4);
  if (const auto call = optional_text(head, 0, first + 5)) {
    view.iterator = IteratorCall{*call, std::string(head.text(0, first + 6)), {}};
    // One a line: names hold no line breaks that anybody would write.
    view.iterator->columns = split(head.text(0, first + 7), '\n');
  }
  return view;
}

ConstraintInfo read_constraint(const Result& result, int row) {
  ConstraintInfo constraint;
  constraint.id = result.integer(row, 0);
  constraint.name = result.text(row, 1);
  const std::string_view kind = result.text(row, 2);
  constraint.kind = kind == "primary key" ? ConstraintKind::kPrimaryKey
                    : kind == "unique"    ? ConstraintKind::kUnique
                                          : ConstraintKind::kCheck;
  constraint.columns = parse_ids(result.text(row, 3));
  constraint.expression = optional_text(result, row, 4);
  constraint.store_name = result.text(row, 5);
  constraint.nulls_distinct = result.boolean(row, 6);
  return constraint;
}

VersionInfo read_version(const Result& result, int row) {
  VersionInfo info;
  info.version = result.integer(row, 0);
  info.op_id = result.integer(row, 1);
  info.published_at = result.text(row, 2);
  info.high_op = result.integer(row, 3);
  info.open_ops = parse_ids(result.text(row, 4));
  info.schema_version = result.integer(row, 5);
  return info;
}

// Versions that can be read. Prune raises the floor before it removes the first row.
constexpr std::string_view kSelectVersion =
    "SELECT v.version, v.op_id, v.published_at, v.high_op, v.open_ops, v.schema_version "
    "FROM coppice.versions v JOIN coppice.trees t USING (tree_id) "
    "WHERE v.tree_id = $1 AND v.version >= t.floor_version";

std::optional<std::int64_t> as_number(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

TablePointer Catalog::find_table(const sql::QualifiedName& name) {
  const auto key = key_of(name);
  if (const auto known = tables_.find(key); known != tables_.end()) return known->second;
  const Result found = connection_.exec_cached(
      "SELECT table_id FROM coppice.tables WHERE schema_name = $1 AND table_name = $2",
      {key.first, key.second});
  if (found.rows() == 0) return nullptr;
  return tables_[key] = load_table(found.integer(0, 0));
}

TablePointer Catalog::table(const sql::QualifiedName& name) {
  TablePointer found = find_table(name);
  if (found == nullptr) throw_unknown_table(name);
  return found;
}

sql::VersionedName Catalog::split_version(const sql::QualifiedName& name) {
  const std::size_t first = name.name.find(':');
  if (first == std::string::npos || find_table(name) != nullptr) return {name, std::nullopt};
  for (std::size_t colon = first; colon != std::string::npos;
       colon = name.name.find(':', colon + 1)) {
    const sql::QualifiedName table{name.schema, name.name.substr(0, colon)};
    if (find_table(table) != nullptr) return {table, name.name.substr(colon + 1)};
  }
  return {{name.schema, name.name.substr(0, first)}, name.name.substr(first + 1)};
}

TablePointer Catalog::table_by_id(std::int64_t table_id) {
  for (const auto& [key, table] : tables_) {
    if (table->table_id == table_id) return table;
  }
  TablePointer table = load_table(table_id);
  if (table != nullptr) tables_[key_of(table->name)] = table;
  return table;
}

TablePointer Catalog::load_table(std::int64_t table_id) {
  const std::string id = std::to_string(table_id);
  const Result head = connection_.exec_cached(
      "SELECT t.tree_id, t.schema_name, t.table_name, t.store_name, r.version, r.schema_version, "
      "r.floor_version, "
      "array(SELECT c.table_id FROM coppice.materialized_views c WHERE c.parent_id = t.table_id "
      "ORDER BY 1), "
      "m.parent_id, m.parent_alias, m.condition, m.definition, m.first_version, m.iterator, "
      "m.iterator_alias, array_to_string(m.iterator_columns, E'\\n') "
      "FROM coppice.tables t JOIN coppice.trees r USING (tree_id) "
      "LEFT JOIN coppice.materialized_views m USING (table_id) WHERE t.table_id = $1",
      {id});
  if (head.rows() == 0) return nullptr;
  auto table = std::make_shared<TableInfo>();
  table->table_id = table_id;
  table->tree_id = head.integer(0, 0);
  table->name = {std::string(head.text(0, 1)), std::string(head.text(0, 2))};
  table->store = head.text(0, 3);
  table->version = head.integer(0, 4);
  table->schema_version = head.integer(0, 5);
  table->floor_version = head.integer(0, 6);
  table->views = parse_ids(head.text(0, 7));
  table->view = read_materialized(head, 8);
  const Result columns = connection_.exec_cached(
      fmt::format("SELECT {} FROM coppice.columns WHERE table_id = $1 AND to_version IS NULL "
                  "ORDER BY position, state DESC",
                  kColumnFields),
      {id});
  for (int row = 0; row < columns.rows(); ++row)
    table->columns.push_back(read_column(columns, row));
  const Result constraints = connection_.exec_cached(
      "SELECT constraint_id, name, kind, columns, expression, store_name, nulls_distinct "
      "FROM coppice.constraints "
      "WHERE table_id = $1 ORDER BY constraint_id",
      {id});
  for (int row = 0; row < constraints.rows(); ++row) {
    table->constraints.push_back(read_constraint(constraints, row));
  }
  const Result indexes = connection_.exec_cached(
      "SELECT index_id, name, definition, columns, store_name FROM coppice.indexes "
      "WHERE table_id = $1 ORDER BY index_id",
      {id});
  for (int row = 0; row < indexes.rows(); ++row) {
    table->indexes.push_back({indexes.integer(row, 0), std::string(indexes.text(row, 1)),
                              std::string(indexes.text(row, 2)), parse_ids(indexes.text(row, 3)),
                              std::string(indexes.text(row, 4))});
  }
  return table;
}

ViewPointer Catalog::find_view(const sql::QualifiedName& name) {
  const auto key = key_of(name);
  if (const auto known = views_.find(key); known != views_.end()) return known->second;
  const Result found = connection_.exec_cached(
      "SELECT v.view_id, v.definition, v.uses_engine, k.key, k.value "
      "FROM coppice.views v LEFT JOIN LATERAL jsonb_each_text(v.kinds) k ON true "
      "WHERE v.schema_name = $1 AND v.view_name = $2",
      {key.first, key.second});
  if (found.rows() == 0) return nullptr;
  auto view = std::make_shared<ViewInfo>();
  view->view_id = found.integer(0, 0);
  view->name = {key.first, key.second};
  view->definition = found.text(0, 1);
  view->uses_engine = found.boolean(0, 2);
  for (int row = 0; row < found.rows(); ++row) {
    if (found.is_null(row, 3)) continue;
    if (const auto kind = media_kind_of_type(found.text(row, 4))) {
      view->kinds.emplace_back(found.text(row, 3), *kind);
    }
  }
  return views_[key] = view;
}

std::vector<sql::QualifiedName> Catalog::all_tables() {
  const Result rows = connection_.exec_cached(
      "SELECT schema_name, table_name FROM coppice.tables ORDER BY 1, 2", {});
  std::vector<sql::QualifiedName> names;
  for (int row = 0; row < rows.rows(); ++row) {
    names.push_back({std::string(rows.text(row, 0)), std::string(rows.text(row, 1))});
  }
  return names;
}

std::vector<sql::QualifiedName> Catalog::all_views() {
  const Result rows = connection_.exec_cached(
      "SELECT schema_name, view_name FROM coppice.views ORDER BY view_id", {});
  std::vector<sql::QualifiedName> names;
  for (int row = 0; row < rows.rows(); ++row) {
    names.push_back({std::string(rows.text(row, 0)), std::string(rows.text(row, 1))});
  }
  return names;
}

bool Catalog::has_schema(const std::string& schema) {
  return connection_.exec_cached("SELECT 1 FROM coppice.schemas WHERE schema_name = $1", {schema})
             .rows() > 0;
}

std::vector<std::string> Catalog::all_schemas() {
  const Result rows =
      connection_.exec_cached("SELECT schema_name FROM coppice.schemas ORDER BY 1", {});
  std::vector<std::string> names;
  for (int row = 0; row < rows.rows(); ++row) names.emplace_back(rows.text(row, 0));
  return names;
}

namespace {

// A materialized view is younger than its tree.
void check_made_by(const TableInfo& table, std::int64_t version) {
  if (!table.view || version < 0 || version >= table.view->first_version) return;
  throw Error(ErrorCode::kNotFound,
              fmt::format("version {} of {} does not exist: it was created in version {}", version,
                          table.user_name(), table.view->first_version),
              fmt::format("see: coppice history {}", table.user_name()));
}

}  // namespace

VersionInfo Catalog::version_info(const TableInfo& table, std::int64_t version) {
  check_made_by(table, version);
  const Result found =
      connection_.exec_cached(fmt::format("{} AND v.version = $2", kSelectVersion),
                              {std::to_string(table.tree_id), std::to_string(version)});
  if (found.rows() == 0) {
    const Result range = connection_.exec_cached(
        "SELECT floor_version, version FROM coppice.trees WHERE tree_id = $1",
        {std::to_string(table.tree_id)});
    const std::int64_t first = range.rows() > 0 ? range.integer(0, 0) : 0;
    const std::int64_t last = range.rows() > 0 ? range.integer(0, 1) : 0;
    const bool pruned = version < first && version >= 0;
    throw Error(
        ErrorCode::kNotFound,
        fmt::format("version {} of table {} {}", version, table.user_name(),
                    pruned ? "was pruned" : "does not exist"),
        fmt::format("its {} version is {}; see: coppice history {}", pruned ? "earliest" : "newest",
                    pruned ? first : last, table.user_name()));
  }
  return read_version(found, 0);
}

VersionInfo Catalog::version_at(const TableInfo& table, const std::string& at) {
  if (const auto number = as_number(at)) return version_info(table, *number);
  const std::string tree = std::to_string(table.tree_id);
  if (at == "current") {
    return version_info(table, connection_
                                   .exec_cached("SELECT version FROM coppice.trees "
                                                "WHERE tree_id = $1",
                                                {tree})
                                   .integer(0, 0));
  }
  const Result named = connection_.exec_cached(
      "SELECT version FROM coppice.snapshots WHERE tree_id = $1 AND name = $2", {tree, at});
  if (named.rows() > 0) return version_info(table, named.integer(0, 0));
  return version_at_time(table, at);
}

VersionInfo Catalog::version_at_time(const TableInfo& table, const std::string& at) {
  const std::string tree = std::to_string(table.tree_id);
  try {
    const Result found = connection_.exec_cached(
        fmt::format("{} AND v.published_at <= $2::timestamptz ORDER BY v.version DESC LIMIT 1",
                    kSelectVersion),
        {tree, at});
    if (found.rows() > 0) {
      VersionInfo version = read_version(found, 0);
      check_made_by(table, version.version);
      return version;
    }
  } catch (const pg::ServerError& error) {
    if (!error.sqlstate().starts_with("22")) throw;
    throw Error(ErrorCode::kNotFound,
                fmt::format("\"{}:{}\" does not exist: \"{}\" is neither a version, a time nor a "
                            "snapshot of table {}",
                            table.name.name, at, at, table.user_name()),
                fmt::format("write \"{0}:3\", \"{0}:2026-11-22 10:00+00\" or a snapshot's name; "
                            "see: coppice history {1}",
                            table.name.name, table.user_name()));
  }
  const Result first = connection_.exec_cached(
      "SELECT min(v.published_at) FROM coppice.versions v JOIN coppice.trees t USING (tree_id) "
      "WHERE v.tree_id = $1 AND v.version >= t.floor_version",
      {tree});
  throw Error(ErrorCode::kNotFound,
              fmt::format("there is no version at or before {} of table {}", at, table.user_name()),
              fmt::format("its earliest version is of {}", first.text(0, 0)));
}

std::vector<ColumnInfo> Catalog::columns_at(const TableInfo& table, std::int64_t version) {
  const Result found = connection_.exec_cached(
      fmt::format("SELECT {} FROM coppice.columns WHERE table_id = $1 AND state = 'live' "
                  "AND from_version <= $2 AND (to_version IS NULL OR to_version > $2) "
                  "ORDER BY position",
                  kColumnFields),
      {std::to_string(table.table_id), std::to_string(version)});
  std::vector<ColumnInfo> columns;
  for (int row = 0; row < found.rows(); ++row) columns.push_back(read_column(found, row));
  return columns;
}

void Catalog::throw_unknown_table(const sql::QualifiedName& name) {
  const std::string wanted = name.schema.empty() ? name.name : name.schema + "." + name.name;
  if (find_view(name) != nullptr) {
    throw Error(ErrorCode::kRefused, fmt::format("\"{}\" is a view, and a table is wanted", wanted),
                "name the table that it reads; see: coppice lineage " + wanted);
  }
  if (!connection_
           .exec_params(
               "SELECT to_regclass($1)",
               {sql::QualifiedName{name.schema.empty() ? "public" : name.schema, name.name}.text()})
           .is_null(0, 0)) {
    throw Error(
        ErrorCode::kRefused,
        fmt::format("\"{}\" was not made by Coppice, and is only read here", wanted),
        "change it by the program that it belongs to, or copy it: CREATE TABLE … AS SELECT");
  }
  std::vector<std::string> names;
  const auto offer = [&](const sql::QualifiedName& known) {
    names.push_back(known.schema + "." + known.name);
    if (known.schema == "public") names.push_back(known.name);
  };
  for (const sql::QualifiedName& known : all_tables()) offer(known);
  for (const sql::QualifiedName& known : all_views()) offer(known);
  throw Error(ErrorCode::kNotFound, fmt::format("relation \"{}\" does not exist", wanted),
              did_you_mean(wanted, names));
}

void Catalog::forget() {
  tables_.clear();
  views_.clear();
}

}  // namespace coppice::catalog
