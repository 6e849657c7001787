#include "engine/engine_query.h"

#include <fmt/core.h>

#include "base/text.h"
#include "catalog/expressions.h"
#include "engine/bound_expression.h"
#include "engine/compute.h"
#include "engine/emit.h"
#include "engine/media_literals.h"
#include "engine/statement_tools.h"
#include "exec/select.h"
#include "sql/make.h"
#include "sql/read.h"
#include "sql/references.h"

namespace coppice::engine {
namespace {

using sql::as;

constexpr int kMostViewLevels = 32;

// Every view that calls engine functions becomes the query it stands for. True when there was one.
bool expand_engine_views(EngineContext& context, sql::Statement& statement) {
  bool expanded = false;
  sql::rewrite_top_down(statement.root(), [&](sql::Node*& slot) {
    auto* relation = as<PgQuery__RangeVar>(slot);
    if (relation == nullptr) return sql::Visit::kInto;
    const auto view = context.catalog.find_view(sql::relation_name(*relation));
    if (view == nullptr || !view->uses_engine) return sql::Visit::kInto;
    sql::Statement definition = sql::parse_statement(view->definition);
    sql::Node* query = sql::clone(statement.arena(), definition.node());
    // Its places are of the view's text, not of this statement's.
    sql::change_locations(sql::message_of(query), [](std::int32_t) { return -1; });
    sql::Node* subquery = sql::make::subquery(statement.arena(), as<PgQuery__SelectStmt>(query),
                                              sql::relation_alias(*relation));
    if (relation->alias != nullptr) as<PgQuery__RangeSubselect>(subquery)->alias = relation->alias;
    slot = subquery;
    expanded = true;
    return sql::Visit::kSkip;
  });
  return expanded;
}

// A query ready for exec: views expanded, parameters put in, calls bound, files taken in.
struct Prepared {
  CatalogKinds relations;
  std::unique_ptr<exec::PreparedSelect> select;

  // `source` reads the tables.
  Prepared(EngineContext& context, pg::Connection& source, sql::Statement& statement,
           PgQuery__SelectStmt& query, const std::vector<pg::Parameter>& values)
      : relations(context) {
    exec::substitute_parameters(statement.root(), values, statement.arena());
    for (int level = 0; expand_engine_views(context, statement); ++level) {
      if (level == kMostViewLevels) {
        throw statement.error(ErrorCode::kUnsupported, -1, "views are nested too deep");
      }
    }
    exec::BindContext binding{
        statement.arena(), context.functions, relations, statement.source(), 0, {}};
    exec::bind_select(query, binding);
    take_media_literals(context, statement, binding.literals);
    resolve_versions(context, statement);
    qualify_media_types(sql::message_of(statement.node()), statement.arena());
    const exec::SelectSession session{source, context.side(), context.pool(), context.functions,
                                      relations};
    select = std::make_unique<exec::PreparedSelect>(session, statement.arena(), query,
                                                    statement.source(), binding.columns);
  }
};

class EmittingSink final : public exec::RowSink {
 public:
  explicit EmittingSink(ResultSink& sink) : sink_(sink) {}
  void begin(std::span<const exec::SelectColumn> columns) override {
    std::vector<ResultColumn> described;
    for (const exec::SelectColumn& column : columns)
      described.push_back({column.name, column.type});
    sink_.begin_rows(described);
  }
  void row(std::span<const std::optional<std::string_view>> values) override { sink_.row(values); }

 private:
  ResultSink& sink_;
};

// Rows on their way into columns of a table, a thousand at a time.
class LoadingSink final : public exec::RowSink {
 public:
  // `types`: of the columns.
  LoadingSink(pg::Connection& connection, std::string into, std::vector<std::string> columns,
              std::vector<std::string> types)
      : connection_(connection),
        into_(std::move(into)),
        columns_(std::move(columns)),
        types_(std::move(types)),
        values_(columns_.size()) {}

  void begin(std::span<const exec::SelectColumn> given) override {
    if (given.size() != values_.size()) {
      throw Error(ErrorCode::kUsage, fmt::format("the query gives {} columns, expected {}",
                                                 given.size(), values_.size()));
    }
    std::string arrays, names, casts;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const char* comma = i == 0 ? "" : ", ";
      arrays += fmt::format("{}${}::text[]", comma, i + 1);
      names += fmt::format("{}x{}", comma, i);
      casts += fmt::format("{}x{}::{}", comma, i, read_as(given[i], types_[i]));
    }
    statement_ = fmt::format(
        "INSERT INTO {} ({}) SELECT {} FROM unnest({}) WITH ORDINALITY "
        "AS v({}, ord) ORDER BY ord",
        into_, join(columns_, ", "), casts, arrays, names);
  }
  void row(std::span<const std::optional<std::string_view>> values) override {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      values_[i].push_back(values[i] ? exec::TextCell(std::string(*values[i])) : exec::TextCell());
    }
    if (values_[0].size() == 1000) flush();
  }
  void flush() {
    if (values_[0].empty()) return;
    std::vector<pg::Parameter> parameters;
    for (exec::TextColumn& column : values_) {
      parameters.emplace_back(text_array(column));
      column.clear();
    }
    connection_.exec_params(statement_, parameters);
  }

 private:
  // A value is read as what the query says it is, and assigned; a text as what the column is.
  static std::string read_as(const exec::SelectColumn& given, const std::string& column_type) {
    const bool text = given.kind || given.type == "text" || given.type == "unknown";
    return text ? catalog::assignment_type(column_type) : given.type;
  }

  pg::Connection& connection_;
  std::string into_;
  std::vector<std::string> columns_, types_;
  std::vector<exec::TextColumn> values_;
  std::string statement_;
};

exec::SelectOptions options_of(EngineContext& context) {
  exec::SelectOptions options;
  options.stop = context.stop.get_token();
  return options;
}

bool reads_store(sql::Statement& statement) {
  for (const sql::RelationUse& use : sql::collect_relations(statement.node())) {
    if (sql::relation_name(*use.relation).schema == "coppice_store") return true;
  }
  return false;
}

PgQuery__SelectStmt& select_of(sql::Statement& statement, sql::Node* node) {
  auto* select = as<PgQuery__SelectStmt>(node);
  if (select == nullptr) {
    throw statement.error(ErrorCode::kUnsupported, -1,
                          "this statement cannot call engine functions");
  }
  return *select;
}

}  // namespace

bool reads_engine_view(EngineContext& context, sql::Statement& statement) {
  for (const sql::RelationUse& use : sql::collect_relations(statement.node())) {
    const sql::QualifiedName name = sql::relation_name(*use.relation);
    if (context.catalog.find_table(name) != nullptr) continue;  // known already, mostly
    const auto view = context.catalog.find_view(name);
    if (view != nullptr && view->uses_engine) return true;
  }
  return false;
}

std::uint64_t run_engine_query(EngineContext& context, sql::Statement& statement,
                               const std::vector<pg::Parameter>& values, ResultSink& sink) {
  Prepared prepared(context, context.reader(), statement, select_of(statement, statement.node()),
                    values);
  EmittingSink rows(sink);
  const std::uint64_t count = prepared.select->run(rows, options_of(context));
  sink.end_rows();
  return count;
}

void explain_engine_query(EngineContext& context, sql::Statement& statement,
                          const std::vector<pg::Parameter>& values, ResultSink& sink) {
  auto& explain = *as<PgQuery__ExplainStmt>(statement.node());
  Prepared prepared(context, context.reader(), statement, select_of(statement, explain.query),
                    values);
  RowsOut rows(sink, {{"QUERY PLAN", "text"}});
  for (const std::string& line : split(prepared.select->explain(), '\n')) {
    if (!line.empty()) rows.row({line});
  }
  rows.end();
}

void load_engine_query(EngineContext& context, const std::string& into,
                       const std::vector<std::string>& columns,
                       const std::vector<std::string>& types, sql::Statement& query,
                       const std::vector<pg::Parameter>& values) {
  // What reads the store itself, as an UPDATE does, reads it as the owner.
  pg::Connection& source = reads_store(query) ? context.origin() : context.reader();
  Prepared prepared(context, source, query, select_of(query, query.node()), values);
  LoadingSink rows(context.main, into, columns, types);
  prepared.select->run(rows, options_of(context));
  rows.flush();
}

}  // namespace coppice::engine
