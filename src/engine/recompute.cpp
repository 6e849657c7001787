#include "engine/recompute.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "catalog/expressions.h"
#include "engine/function_use.h"
#include "engine/history.h"
#include "engine/named_table.h"
#include "engine/query.h"
#include "engine/staged_run.h"
#include "engine/statement_tools.h"
#include "exec/binder.h"
#include "sql/deparse.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;
using catalog::TablePointer;
using sql::quote_identifier;

[[noreturn]] void throw_unknown_column(const TableInfo& table, const std::string& name) {
  std::vector<std::string> names;
  for (const ColumnInfo* column : table.visible_columns()) names.push_back(column->name);
  throw Error(ErrorCode::kNotFound,
              fmt::format("column \"{}\" of relation \"{}\" does not exist", name, table.name.name),
              did_you_mean(name, names));
}

std::vector<const ColumnInfo*> choose_columns(const TableInfo& table,
                                              const std::vector<std::string>& names) {
  std::vector<const ColumnInfo*> chosen;
  for (const std::string& name : names) {
    const ColumnInfo* column = table.find_column(name);
    if (column == nullptr) throw_unknown_column(table, name);
    if (column->derived) {
      throw Error(ErrorCode::kRefused,
                  fmt::format("column \"{}\" comes from the query of the materialized view", name),
                  "it is computed again when what it reads changes; what shall be recomputed by "
                  "itself can be a computed column of the view");
    }
    if (!column->computed()) {
      throw Error(ErrorCode::kRefused, fmt::format("column \"{}\" is not computed", name),
                  "change its value with UPDATE");
    }
    chosen.push_back(column);
  }
  if (!names.empty()) return chosen;
  for (const ColumnInfo* column : table.visible_columns()) {
    if (column->computed()) chosen.push_back(column);
  }
  if (chosen.empty()) {
    throw Error(ErrorCode::kRefused,
                fmt::format("table {} has no computed column", table.user_name()));
  }
  return chosen;
}

// The cell failed, and is what that left.
std::string has_failed(const TableInfo& table, const ColumnInfo& column) {
  const std::string alias = quote_identifier(table.name.name);
  return fmt::format("({0}.{1} IS NULL AND {0}._row IN (SELECT e.row_id FROM {2}))", alias,
                     quote_identifier(column.name), present_errors_sql(table, column));
}

bool any_has_failed(EngineContext& context, const TableInfo& table, const ColumnInfo& column) {
  return context.main
      .exec(fmt::format("SELECT EXISTS (SELECT FROM {} AS {} WHERE {})", table.working_view(),
                        quote_identifier(table.name.name), has_failed(table, column)))
      .boolean(0, 0);
}

// Names and types of the condition, checked where the user wrote it: what is run later is longer.
void check_condition(EngineContext& context, const TableInfo& table, const std::string& where) {
  const sql::Statement condition = sql::parse_expression(where);
  if (exec::mentions_engine_function(condition.node(), context.functions)) return;
  const std::string begin = fmt::format("SELECT 1 FROM {} WHERE (", table.user_name());
  try {
    context.main.describe(begin + where + "\n)");
  } catch (const pg::ServerError& error) {
    const std::size_t characters = line_column(begin, begin.size()).column;
    const auto position = static_cast<std::size_t>(error.fields().position);
    const bool inside = position >= characters;
    throw sql::error_at(error.code(), {where},
                        inside ? static_cast<std::ptrdiff_t>(
                                     sql::byte_offset_of_character(where, position - characters))
                               : -1,
                        error.message(), nearest_hint(context, error));
  }
}

// Which rows, as a condition over the working view called by the table's name.
std::string row_condition(const TableInfo& table, const std::vector<const ColumnInfo*>& columns,
                          const std::optional<std::string>& where, bool errors_only) {
  std::vector<std::string> terms;
  if (where) {
    const sql::Statement condition = sql::parse_expression(*where);
    if (!condition.parameters().empty()) {
      throw Error(ErrorCode::kUnsupported, "the condition cannot hold parameters",
                  "write the values");
    }
    terms.push_back("(" + sql::deparse_expression(condition.node()) + ")");
  }
  if (errors_only) {
    std::vector<std::string> failed;
    for (const ColumnInfo* column : columns) failed.push_back(has_failed(table, *column));
    terms.push_back("(" + join(failed, " OR ") + ")");
  }
  return terms.empty() ? "true" : join(terms, " AND ");
}

// Puts the chosen rows into the stage, as they are.
void load_rows(EngineContext& context, Stage& stage, const std::string& condition,
               const std::vector<std::int64_t>& only_rows) {
  const TableInfo& table = stage.table();
  const std::string alias = quote_identifier(table.name.name);
  std::vector<std::string> physical = {"_row", "_old", "_action"};
  std::vector<std::string> types = {"bigint", "bigint", "\"char\""};
  std::vector<std::string> given = {alias + "._row", alias + "._from", "'u'"};
  if (table.view) {
    physical.emplace_back("_parent");
    types.emplace_back("bigint");
    given.push_back(alias + "._parent");
  }
  for (const ColumnInfo* column : table.visible_columns()) {
    physical.push_back(column->physical);
    types.push_back(catalog::store_type(column->type));
    given.push_back(alias + "." + quote_identifier(column->name));
  }
  std::string text = fmt::format("SELECT {} FROM {} AS {} WHERE {}", join(given, ", "),
                                 table.working_view(), alias, condition);
  if (!only_rows.empty()) {
    text += fmt::format(" AND {}._row = ANY ('{}'::bigint[])", alias, bigint_array(only_rows));
  }
  sql::Statement query = sql::parse_statement(text);
  load_query(context, stage, physical, types, query, {});
}

// The columns themselves and what is computed from them; and what a fill under way needs.
std::vector<const ColumnInfo*> computed_again(const TableInfo& table,
                                              const std::set<std::string>& names) {
  std::vector<const ColumnInfo*> columns = affected_columns(table, names);
  for (const ColumnInfo& column : table.columns) {
    const bool wanted = column.computed() && (column.filling || names.contains(column.name));
    if (wanted && std::count(columns.begin(), columns.end(), &column) == 0) {
      columns.push_back(&column);
    }
  }
  return columns;
}

std::string statement_text(const TableInfo& table, const std::vector<std::string>& columns,
                           const std::optional<std::string>& where, bool errors_only) {
  std::string text = "coppice recompute " + table.user_name();
  for (const std::string& column : columns) text += " " + quote_identifier(column);
  if (where) text += " --where " + sql::quote_literal(*where);
  if (errors_only) text += " --errors";
  return text;
}

// Kept results of failed cells there are none: what else those cells need may be reused.
class Recomputing {
 public:
  Recomputing(EngineContext& context, bool asks_again) : context_(context) {
    context_.recomputing = asks_again;
  }
  ~Recomputing() { context_.recomputing = false; }
  Recomputing(const Recomputing&) = delete;
  Recomputing& operator=(const Recomputing&) = delete;

 private:
  EngineContext& context_;
};

}  // namespace

void run_recompute(EngineContext& context, const std::string& table_name,
                   const std::vector<std::string>& names, const std::optional<std::string>& where,
                   bool errors_only, ResultSink& sink) {
  const TablePointer table = table_named(context, table_name);
  std::vector<const ColumnInfo*> columns = choose_columns(*table, names);
  if (errors_only) {
    std::erase_if(columns, [&](const ColumnInfo* column) {
      return !any_has_failed(context, *table, *column);
    });
    if (columns.empty()) {
      sink.notice(fmt::format("no cell of {} failed", table->user_name()));
      return sink.done("RECOMPUTE 0", std::nullopt);
    }
  }
  const std::string condition = row_condition(*table, columns, where, errors_only);
  if (where) check_condition(context, *table, *where);
  std::set<std::string> chosen;
  for (const ColumnInfo* column : columns) chosen.insert(column->name);
  StagedPlan plan;
  plan.kind = "recompute";
  plan.tag = "RECOMPUTE";
  plan.alias = table->name.name;
  plan.computed = [&](const TableInfo& now) { return computed_again(now, chosen); };
  plan.load = [&](Stage& stage, const std::vector<std::int64_t>& only_rows) {
    load_rows(context, stage, condition, only_rows);
  };
  const Recomputing asking(context, !errors_only);
  if (!where && !errors_only) {
    // No cell is of an older version of a function then.
    plan.in_publish = [&] {
      forget_older_versions(context, *table, computed_again(*table, chosen));
    };
  }
  run_staged(context, table, statement_text(*table, names, where, errors_only), plan, sink);
}

}  // namespace coppice::engine
