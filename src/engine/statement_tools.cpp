#include "engine/statement_tools.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "catalog/expressions.h"
#include "catalog/store_ddl.h"
#include "pg/transaction.h"
#include "sql/deparse.h"
#include "sql/lexer.h"
#include "sql/make.h"
#include "sql/read.h"
#include "sql/references.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;
using catalog::TablePointer;
using sql::as;
using sql::Visit;

constexpr std::size_t kMostTextToCompare = 1 << 20;  // errors in longer statements have no place

// Reads another relation, under the name that the statement calls it by.
void point_at(PgQuery__RangeVar& relation, const std::string& schema_and_name, sql::Arena& arena) {
  const std::string alias(sql::relation_alias(relation));
  const std::size_t dot = schema_and_name.find('.');
  const PgQuery__RangeVar* other = sql::make::relation(arena, schema_and_name.substr(0, dot),
                                                       schema_and_name.substr(dot + 1), alias);
  relation.schemaname = other->schemaname;
  relation.relname = other->relname;
  if (relation.alias == nullptr) relation.alias = other->alias;
}

// The view over a version is made once, by whoever reads that version first.
void ensure_as_of_view(EngineContext& context, const TableInfo& table,
                       const catalog::VersionInfo& version) {
  const std::string name = catalog::as_of_view_name(table, version.version);
  if (context.main.exec_cached("SELECT to_regclass($1) IS NOT NULL", {name}).boolean(0, 0)) return;
  try {
    pg::Transaction transaction(context.main);
    context.main.exec(
        catalog::as_of_view(table, version, context.catalog.columns_at(table, version.version)));
    // Whoever may read the table may read what it was.
    context.main.exec_params("SELECT coppice.copy_select_grants($1, $2)",
                             {table.user_name(), name});
    transaction.commit();
  } catch (const pg::ServerError& error) {
    const bool made_meanwhile = error.sqlstate() == "42P07" || error.sqlstate() == "23505";
    if (!made_meanwhile) throw;
  }
}

// Each token of `sent` that is in `source` too: its offset there. The third "x" of one is the third
// of the other, or the last.
std::map<std::size_t, std::ptrdiff_t> places_of_tokens(std::string_view sent,
                                                       std::string_view source) {
  std::map<std::string_view, std::vector<std::ptrdiff_t>> in_source;
  sql::Lexer source_lexer(source);
  for (sql::Token t = source_lexer.next(); t.kind != sql::TokenKind::kEnd;
       t = source_lexer.next()) {
    in_source[source_lexer.text(t)].push_back(static_cast<std::ptrdiff_t>(t.begin));
  }
  std::map<std::size_t, std::ptrdiff_t> places;
  std::map<std::string_view, std::size_t> seen;
  sql::Lexer sent_lexer(sent);
  for (sql::Token t = sent_lexer.next(); t.kind != sql::TokenKind::kEnd; t = sent_lexer.next()) {
    const auto same = in_source.find(sent_lexer.text(t));
    if (same == in_source.end()) continue;
    const std::size_t number = seen[same->first]++;
    places[t.begin] = same->second[std::min(number, same->second.size() - 1)];
  }
  return places;
}

}  // namespace

void qualify_media_types(sql::Message* root, sql::Arena& arena) {
  sql::walk(root, [&](sql::Message& message) {
    auto* type = as<PgQuery__TypeName>(message);
    if (type != nullptr && type->n_names == 1) {
      const auto* name = as<PgQuery__String>(type->names[0]);
      if (name != nullptr && catalog::media_kind_of_type(name->sval)) {
        sql::Node* const qualified[] = {sql::make::name(arena, "coppice"), type->names[0]};
        sql::make::set_list(arena, qualified, type->n_names, type->names);
      }
    }
    return Visit::kInto;
  });
}

void resolve_versions(EngineContext& context, sql::Statement& statement) {
  for (const sql::RelationUse& use : sql::collect_relations(statement.node())) {
    if (use.is_target) continue;
    PgQuery__RangeVar* const relation = use.relation;
    const sql::VersionedName name = context.catalog.split_version(sql::relation_name(*relation));
    if (!name.version) continue;
    const TablePointer table = context.catalog.find_table(name.table);
    if (table == nullptr) {
      try {
        context.catalog.throw_unknown_table(name.table);
      } catch (const Error& error) {
        throw statement.error(error.code(), relation->location, error.message(), error.hint());
      }
    }
    const catalog::VersionInfo version = context.catalog.version_at(*table, *name.version);
    ensure_as_of_view(context, *table, version);
    point_at(*relation, catalog::as_of_view_name(*table, version.version), statement.arena());
  }
}

sql::Statement parse_generated(std::string_view text, const sql::Statement& made_from) {
  sql::ParseOptions options;
  options.number_parameters = false;
  sql::Statement generated = sql::parse_statement(text, options);
  std::map<std::size_t, std::ptrdiff_t> places;
  if (text.size() < kMostTextToCompare) places = places_of_tokens(text, made_from.text());
  sql::change_locations(sql::message_of(generated.node()), [&](std::int32_t location) {
    const auto place = places.find(static_cast<std::size_t>(location));
    return place == places.end() ? -1 : static_cast<std::int32_t>(place->second);
  });
  return made_from.with_tree(generated.node());
}

std::ptrdiff_t place_in_source(std::string_view sent, std::size_t offset, std::string_view source) {
  if (sent == source) return static_cast<std::ptrdiff_t>(offset);
  if (sent.size() >= kMostTextToCompare) return -1;
  const std::map<std::size_t, std::ptrdiff_t> places = places_of_tokens(sent, source);
  const auto place = places.find(offset);
  return place == places.end() ? -1 : place->second;
}

std::vector<pg::Parameter> bind_parameters(const sql::Statement& statement,
                                           const SqlParameters& parameters) {
  std::vector<pg::Parameter> values;
  for (const std::string& name : statement.parameters()) {
    const auto given = parameters.find(name);
    COPPICE_ASSERT(given != parameters.end());  // checked for the whole script before it is run
    if (const auto invalid = first_invalid_utf8(given->second)) {
      throw Error(ErrorCode::kInvalidInput,
                  fmt::format("the value of parameter {} is not UTF-8: byte 0x{:02x}", name,
                              static_cast<unsigned char>(given->second[*invalid])),
                  "values are text; bytea is written as \\x and hexadecimal digits");
    }
    values.emplace_back(given->second);
  }
  return values;
}

TablePointer target_table(EngineContext& context, const sql::Statement& statement,
                          const PgQuery__RangeVar& relation) {
  const sql::QualifiedName name = sql::relation_name(relation);
  if (const TablePointer table = context.catalog.find_table(name)) return table;
  if (context.catalog.find_view(name) != nullptr) {
    throw statement.error(ErrorCode::kRefused, relation.location,
                          fmt::format("\"{}\" is a view; its rows come from its query", name.name),
                          "change the tables that it reads");
  }
  if (name.schema.starts_with("coppice")) {
    throw statement.error(
        ErrorCode::kRefused, relation.location,
        fmt::format("\"{}.{}\" is kept by Coppice itself", name.schema, name.name),
        "schemas that begin with coppice may only be read");
  }
  if (context.catalog.split_version(name).version) {
    throw statement.error(
        ErrorCode::kRefused, relation.location,
        fmt::format("\"{}\" is an older version and cannot be changed", name.name),
        "to go back to it: coppice revert TABLE --to N");
  }
  try {
    context.catalog.throw_unknown_table(name);
  } catch (const Error& error) {
    throw statement.error(error.code(), relation.location, error.message(), error.hint());
  }
}

void refuse_written_view(EngineContext& context, const TableInfo& table,
                         const sql::Statement* statement, std::ptrdiff_t location) {
  if (!table.view) return;
  const TablePointer parent = context.catalog.table_by_id(table.view->parent_id);
  const std::string what =
      fmt::format("\"{}\" is a materialized view: its rows come from its query", table.name.name);
  const std::string hint = fmt::format("change {}, and the view follows", parent->user_name());
  if (statement != nullptr) throw statement->error(ErrorCode::kRefused, location, what, hint);
  throw Error(ErrorCode::kRefused, what, hint);
}

TablePointer written_table(EngineContext& context, const sql::Statement& statement,
                           const PgQuery__RangeVar& relation) {
  const TablePointer table = target_table(context, statement, relation);
  refuse_written_view(context, *table, &statement, relation.location);
  return table;
}

void use_working_view(const TableInfo& table, PgQuery__RangeVar& relation, sql::Arena& arena) {
  point_at(relation, table.working_view(), arena);
}

const ColumnInfo& column_named(const TableInfo& table, const std::string& name,
                               const sql::Statement& statement, std::ptrdiff_t location) {
  if (const ColumnInfo* column = table.find_column(name)) return *column;
  std::vector<std::string> names;
  for (const ColumnInfo* column : table.visible_columns()) names.push_back(column->name);
  throw statement.error(
      ErrorCode::kNotFound, location,
      fmt::format("column \"{}\" of relation \"{}\" does not exist", name, table.name.name),
      did_you_mean(name, names));
}

std::string identifier_list(const std::vector<std::string>& names) {
  std::vector<std::string> quoted;
  for (const std::string& name : names) quoted.push_back(sql::quote_identifier(name));
  return join(quoted, ", ");
}

std::string from_item_text(sql::Node* item) {
  sql::Statement shell = sql::parse_statement("SELECT 1 FROM x");
  auto* select = as<PgQuery__SelectStmt>(shell.node());
  select->from_clause[0] = item;
  const std::string text = sql::deparse(shell.node());
  return text.substr(std::string_view("SELECT 1 FROM ").size());
}

std::string with_text(PgQuery__WithClause& with_clause) {
  sql::Statement shell = sql::parse_statement("SELECT 1");
  auto* select = as<PgQuery__SelectStmt>(shell.node());
  select->with_clause = &with_clause;
  std::string text = sql::deparse(shell.node());
  text.resize(text.size() - std::string_view("SELECT 1").size());
  return text;
}

std::vector<const ColumnInfo*> affected_columns(const TableInfo& table,
                                                const std::set<std::string>& changed) {
  std::set<std::string> reached = changed;
  std::vector<const ColumnInfo*> affected;
  for (bool grew = true; grew;) {
    grew = false;
    for (const ColumnInfo& column : table.columns) {
      if (!column.computed() || std::count(affected.begin(), affected.end(), &column) > 0) continue;
      const std::set<std::string> reads = catalog::columns_read(table, *column.expression);
      const bool hit = std::any_of(reads.begin(), reads.end(),
                                   [&](const std::string& name) { return reached.contains(name); });
      if (!hit) continue;
      affected.push_back(&column);
      if (!column.filling) reached.insert(column.name);
      grew = true;
    }
  }
  return affected;
}

}  // namespace coppice::engine
