// The part of Rehearsal (rehearsal.h) that draws a sample of a query's rows.
#include <fmt/core.h>

#include <algorithm>
#include <random>

#include "base/text.h"
#include "engine/engine_query.h"
#include "engine/rehearsal.h"
#include "engine/rehearsal_parts.h"
#include "engine/statement_tools.h"
#include "exec/binder.h"
#include "exec/syntax.h"
#include "sql/deparse.h"
#include "sql/make.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using sql::as;

// A rehearsal of the rehearsed is the real thing.
class Suspended {
 public:
  explicit Suspended(EngineContext& context) : context_(context), before_(context.rehearsal) {
    context.rehearsal = nullptr;
  }
  ~Suspended() { context_.rehearsal = before_; }
  Suspended(const Suspended&) = delete;
  Suspended& operator=(const Suspended&) = delete;

 private:
  EngineContext& context_;
  Rehearsal* before_;
};

[[noreturn]] void refuse_query(const std::string& why) {
  throw Error(ErrorCode::kUnsupported,
              "this query cannot be sampled before its calls are made: " + why,
              "estimate a query with the calls in its select list over one table, as in SELECT "
              "id, caption(picture) FROM photo WHERE …");
}

}  // namespace

void Rehearsal::load(const Stage& stage, const std::vector<std::string>& columns,
                     const std::vector<std::string>& types, sql::Statement& query) {
  const auto really = [&](sql::Statement& sampled) {
    const Suspended suspended(context_);
    load_query(context_, stage, columns, types, sampled, {});
  };
  if (has_ids_) return really(query);
  load_group(query, really);
}

void Rehearsal::load_group(sql::Statement& query, const Load& load) {
  const auto* select = as<PgQuery__SelectStmt>(query.node());
  if (select != nullptr && select->n_values_lists > 0) return load_values(query, load);
  if (reads_engine_view(context_, query)) {
    refuse_query("it reads a view whose query calls functions");
  }
  if (exec::mentions_engine_function(query.node(), context_.functions)) {
    return load_by_engine(query, load);
  }
  load_by_sql(query, load);
}

void Rehearsal::load_values(sql::Statement& query, const Load& load) {
  sql::Statement part = sql::parse_statement(sql::deparse(query.node()));
  auto& select = *as<PgQuery__SelectStmt>(part.node());
  if (sample_ < 0) {
    set_sample(static_cast<std::int64_t>(select.n_values_lists), true);
    for (std::size_t i = 0; i < select.n_values_lists; ++i) {
      ids_.push_back(static_cast<std::int64_t>(i));
    }
    std::shuffle(ids_.begin(), ids_.end(), std::mt19937_64(random_number()));
  }
  const auto [begin, end] = bounds();
  if (begin == end) return;
  std::vector<sql::Node*> lists;
  for (std::int64_t i = begin; i < end; ++i) {
    lists.push_back(select.values_lists[ids_[static_cast<std::size_t>(i)]]);
  }
  sql::make::set_list(part.arena(), lists, select.n_values_lists, select.values_lists);
  load(part);
}

// The sample is taken once; each group is a part of it.
void Rehearsal::load_by_sql(sql::Statement& query, const Load& load) {
  const std::string text = resolved_text(context_, query);
  const std::size_t width = context_.main.describe(text).columns.size();
  std::vector<std::string> names;
  for (std::size_t i = 0; i < width; ++i) names.push_back(fmt::format("x{}", i));
  const std::string list = join(names, ", ");
  if (sample_ < 0) {
    set_sample(count_rows(context_, text),
               uses_workers(context_, *context_.catalog.table_by_id(operation_->table_id)));
    context_.main.exec(fmt::format(
        "CREATE TEMP TABLE coppice_sample AS SELECT {0}, row_number() OVER () - 1 AS coppice_n "
        "FROM (SELECT * FROM ({1}) AS coppice_q({0}) ORDER BY random() LIMIT {2}) AS coppice_s",
        list, text, sample_));
  }
  const auto [begin, end] = bounds();
  sql::Statement part = sql::parse_statement(
      fmt::format("SELECT {} FROM {} WHERE coppice_n >= {} AND coppice_n < {} ORDER BY coppice_n",
                  list, kSample, begin, end));
  load(part);
}

// The rows of its table are chosen before the calls are made: in an order that is random, and the
// same for each group.
void Rehearsal::load_by_engine(sql::Statement& query, const Load& load) {
  sql::Statement part = sql::parse_statement(sql::deparse(query.node()));
  auto& select = *as<PgQuery__SelectStmt>(part.node());
  const auto* relation =
      select.n_from_clause == 1 ? as<PgQuery__RangeVar>(select.from_clause[0]) : nullptr;
  const bool as_it_is = select.n_from_clause == 0;
  if (relation == nullptr && !as_it_is) refuse_query("its FROM is not one table");
  if (select.n_group_clause + select.n_distinct_clause + select.n_window_clause > 0 ||
      select.having_clause != nullptr || select.with_clause != nullptr ||
      select.limit_count != nullptr || select.limit_offset != nullptr || select.larg != nullptr) {
    refuse_query("it has GROUP BY, DISTINCT, LIMIT, WITH or UNION");
  }
  if (as_it_is) {
    if (sample_ < 0) set_sample(1, true);
    const auto [begin, end] = bounds();
    if (begin < end) load(part);
    return;
  }
  std::vector<sql::Node*> plain, engine;
  for (sql::Node* const term : exec::and_terms(select.where_clause)) {
    const bool calls = exec::mentions_engine_function(term, context_.functions);
    (calls ? engine : plain).push_back(term);
  }
  const std::string alias = sql::quote_identifier(sql::relation_alias(*relation));
  std::string rows =
      fmt::format("SELECT {}.* FROM {}", alias, from_item_text(select.from_clause[0]));
  if (!plain.empty()) {
    rows += " WHERE " + sql::deparse_expression(sql::make::and_of(part.arena(), plain));
  }
  if (sample_ < 0) {
    set_sample(count_rows(context_, resolved_text(context_, sql::parse_statement(rows))), true);
  }
  const auto [begin, end] = bounds();
  rows += fmt::format(" ORDER BY {} LIMIT {} OFFSET {}", fmt::format(fmt::runtime(order_), alias),
                      end - begin, begin);
  const sql::Statement source =
      sql::parse_statement(fmt::format("SELECT 1 FROM ({}) AS {}", rows, alias));
  select.from_clause[0] =
      sql::clone(part.arena(), as<PgQuery__SelectStmt>(source.node())->from_clause[0]);
  select.where_clause = engine.empty() ? nullptr : sql::make::and_of(part.arena(), engine);
  load(part);
}

}  // namespace coppice::engine
