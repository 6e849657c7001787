#include "exec/engine_select.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "exec/server_functions.h"
#include "exec/syntax.h"
#include "pg/row_stream.h"
#include "sql/deparse.h"
#include "sql/parse.h"

namespace coppice::exec {
namespace {

using sql::as;
using sql::Node;

constexpr std::size_t kNamedColumns = 3;
constexpr std::size_t kShownBytes = 60;
constexpr std::size_t kFewRows = 16;

std::string shown_value(const TextCell& value) {
  if (!value) return "NULL";
  if (value->size() <= kShownBytes) return *value;
  std::size_t cut = kShownBytes;
  while (cut > 0 && (static_cast<unsigned char>((*value)[cut]) & 0xC0U) == 0x80U) --cut;
  return value->substr(0, cut) + "…";
}

// A limit that PostgreSQL computed; NULL is no limit.
std::optional<std::int64_t> limit_value(const pg::Result& result, int column,
                                        std::string_view what) {
  if (result.is_null(0, column)) return std::nullopt;
  const std::int64_t value = result.integer(0, column);
  if (value < 0) throw Error(ErrorCode::kUsage, fmt::format("{} must not be negative", what));
  return value;
}

std::string deparsed_or(const Node* node, std::string_view otherwise) {
  return node ? sql::deparse_expression(node) : std::string(otherwise);
}

}  // namespace

EngineSelect::EngineSelect(const SelectSession& session, sql::Arena& arena,
                           const PgQuery__SelectStmt& select) {
  compile(session, select);
  if (!is_grouped(select)) add_row_names(session, select);
  source_ = source_text(arena, select);
  if (filter_) read_limits(session, select);
  describe(session.source);
}

void EngineSelect::compile(const SelectSession& session, const PgQuery__SelectStmt& select) {
  std::vector<const Node*> conditions;
  for (const Node* const term : and_terms(select.where_clause)) {
    if (!has_bound_call(term, session.functions)) continue;
    conditions.push_back(term);
    filter_terms_.push_back(term);
    filter_texts_.push_back(short_text(term));
  }
  CompileOptions options;
  // Behind a filter SQL must not be computed, and raise, for rows that are filtered out.
  options.sql_in_source = conditions.empty();
  options.grouped.assign(select.group_clause, select.group_clause + select.n_group_clause);
  if (!conditions.empty()) {
    Plan plan = Plan::compile(conditions, session.functions, {});
    std::vector<int> columns = add_targets(plan.source_targets());
    filter_ = Input{std::move(plan), std::move(columns)};
  }
  std::vector<const Node*> expressions;
  for (Node* const item : sql::nodes(select.n_target_list, select.target_list)) {
    expressions.push_back(as<PgQuery__ResTarget>(item)->val);
    output_texts_.push_back(short_text(expressions.back()));
  }
  output_.plan = Plan::compile(expressions, session.functions, options);
  output_.columns = add_targets(output_.plan.source_targets());
}

std::vector<int> EngineSelect::add_targets(const std::vector<std::string>& targets) {
  std::vector<int> columns;
  for (const std::string& target : targets) {
    // Twice the same text is twice the same value only where nothing is called.
    const bool may_share = target.find('(') == std::string::npos;
    const auto same = std::find(targets_.begin(), targets_.end(), target);
    if (may_share && same != targets_.end()) {
      columns.push_back(static_cast<int>(same - targets_.begin()));
      continue;
    }
    columns.push_back(static_cast<int>(targets_.size()));
    targets_.push_back(target);
  }
  return columns;
}

// Keys, or else plain columns that are read anyway: they say which row failed.
void EngineSelect::add_row_names(const SelectSession& session, const PgQuery__SelectStmt& select) {
  const KindContext kinds{session.functions, session.relations};
  const Scope scope = scope_of(select, nullptr, kinds);
  for (const VisibleColumn& visible : scope.visible()) {
    if (!visible.column.key || row_names_.size() == kNamedColumns) continue;
    sql::Arena scratch;
    const Node* const bare = make_column(scratch, "", visible.column.name, -1);
    const bool unique = scope.resolve(*as<PgQuery__ColumnRef>(bare)).has_value();
    const std::string target = sql::deparse_expression(
        unique ? bare : make_column(scratch, visible.qualifier, visible.column.name, -1));
    row_names_.emplace_back(target, add_targets({target}).front());
  }
  for (std::size_t i = 0; i < targets_.size() && row_names_.empty(); ++i) {
    const sql::Statement target = sql::parse_expression(targets_[i]);
    if (as<PgQuery__ColumnRef>(target.node()) && !infer_kind(target.node(), scope, kinds)) {
      row_names_.emplace_back(targets_[i], static_cast<int>(i));
    }
  }
}

std::string EngineSelect::source_text(sql::Arena& arena, const PgQuery__SelectStmt& select) const {
  PgQuery__SelectStmt* const source = sql::clone(arena, &select);
  std::vector<Node*> targets;
  for (const std::string& text : targets_) {
    const sql::Statement parsed = sql::parse_expression(text);
    // To PostgreSQL n::text and n[1] are called n, and ORDER BY n would mean them.
    const bool hides_column =
        select.n_sort_clause > 0 && as<PgQuery__ColumnRef>(parsed.node()) == nullptr;
    const std::string name =
        hides_column ? fmt::format("coppice_target_{}", targets.size()) : std::string();
    targets.push_back(sql::make::target(arena, sql::clone(arena, parsed.node()), name));
  }
  if (targets.empty()) {
    targets.push_back(sql::make::target(arena, sql::make::integer_constant(arena, 1)));
  }
  sql::make::set_list(arena, targets, source->n_target_list, source->target_list);
  if (filter_) {
    std::vector<Node*> rest;
    const std::vector<Node*> all = and_terms(select.where_clause);
    const std::vector<Node*> copies = and_terms(source->where_clause);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const bool plain = !std::count(filter_terms_.begin(), filter_terms_.end(), all[i]);
      if (plain) rest.push_back(copies[i]);
    }
    source->where_clause = rest.empty() ? nullptr : sql::make::and_of(arena, rest);
    source->limit_count = nullptr;
    source->limit_offset = nullptr;
    source->limit_option = PG_QUERY__LIMIT_OPTION__LIMIT_OPTION_DEFAULT;
  }
  return sql::deparse(sql::make::wrap(arena, source));
}

void EngineSelect::read_limits(const SelectSession& session, const PgQuery__SelectStmt& select) {
  if (!select.limit_count && !select.limit_offset) return;
  const pg::Result result = session.source.exec(
      fmt::format("SELECT ({})::bigint, ({})::bigint", deparsed_or(select.limit_count, "NULL"),
                  deparsed_or(select.limit_offset, "NULL")));
  limit_ = limit_value(result, 0, "LIMIT");
  offset_ = limit_value(result, 1, "OFFSET").value_or(0);
}

void EngineSelect::describe(pg::Connection& connection) {
  const bool needed =
      output_.plan.needs_source_types() || (filter_ && filter_->plan.needs_source_types());
  if (!needed) return;
  const std::vector<pg::Column> columns = connection.describe(source_).columns;
  const auto set_types = [&](Input& input) {
    std::vector<std::string> types;
    for (const int column : input.columns) {
      types.push_back(columns[static_cast<std::size_t>(column)].type_name);
    }
    input.plan.set_source_types(types);
  };
  set_types(output_);
  if (filter_) set_types(*filter_);
}

// One pass over the rows.
class EngineSelect::Run {
 public:
  Run(const EngineSelect& select, const SelectSession& session, const SelectOptions& options,
      const RowConsumer& consumer)
      : select_(select),
        evaluator_(session.side, session.pool),
        connection_(session.source),
        options_(options),
        consumer_(consumer),
        skip_(select.offset_),
        passed_(empty_batch()) {}

  std::uint64_t run() {
    if (select_.limit_ == 0) return 0;
    pg::Cursor cursor(connection_, select_.source_);
    std::size_t count = options_.batch_rows;
    // A few rows may be enough to fill a small LIMIT.
    if (select_.limit_) count = std::min(count, std::max(kFewRows, wanted_rows()));
    while (!done()) {
      const pg::Result rows = cursor.fetch(static_cast<int>(count));
      if (rows.rows() == 0) break;
      take(rows);
      if (passed_.row_count >= std::min(options_.batch_rows, wanted_rows())) give_out();
      count = std::min(options_.batch_rows, count * 2);
    }
    give_out();
    return given_;
  }

 private:
  using Columns = std::vector<TextColumn>;

  TextBatch empty_batch() const {
    TextBatch batch;
    batch.columns.resize(select_.targets_.size());
    return batch;
  }

  // Rows that must pass the filter to fill the limit.
  std::size_t wanted_rows() const {
    if (!select_.limit_) return options_.batch_rows;
    const auto given = static_cast<std::int64_t>(given_);
    return static_cast<std::size_t>(std::max<std::int64_t>(*select_.limit_ - given + skip_, 1));
  }

  bool done() const {
    return select_.limit_ && given_ >= static_cast<std::uint64_t>(*select_.limit_);
  }

  static TextBatch input_batch(const Input& input, const TextBatch& rows) {
    TextBatch batch;
    batch.row_count = rows.row_count;
    for (const int column : input.columns) {
      batch.columns.push_back(rows.columns[static_cast<std::size_t>(column)]);
    }
    return batch;
  }

  // Reads fetched rows and keeps those that pass the filter.
  void take(const pg::Result& result) {
    TextBatch rows = empty_batch();
    rows.row_count = static_cast<std::size_t>(result.rows());
    for (std::size_t column = 0; column < rows.columns.size(); ++column) {
      for (int row = 0; row < result.rows(); ++row) {
        const auto value = result.value(row, static_cast<int>(column));
        rows.columns[column].push_back(value ? TextCell(std::string(*value)) : TextCell());
      }
    }
    const std::vector<bool> passes = filter(rows);
    for (std::size_t row = 0; row < rows.row_count; ++row) {
      if (!passes[row]) continue;
      if (skip_ > 0) {
        --skip_;
        continue;
      }
      ++passed_.row_count;
      for (std::size_t column = 0; column < rows.columns.size(); ++column) {
        passed_.columns[column].push_back(std::move(rows.columns[column][row]));
      }
    }
  }

  std::vector<bool> filter(const TextBatch& rows) {
    std::vector<bool> passes(rows.row_count, true);
    if (!select_.filter_) return passes;
    const std::vector<OutputColumn> terms = evaluator_.evaluate(
        select_.filter_->plan, input_batch(*select_.filter_, rows), options_.stop);
    for (std::size_t row = 0; row < rows.row_count; ++row) {
      // A term that is not true settles the row, whatever another one failed with.
      for (const OutputColumn& term : terms) {
        const auto* const value = std::get_if<TextCell>(&term[row]);
        if (value && *value != "t") passes[row] = false;
      }
      for (std::size_t i = 0; passes[row] && i < terms.size(); ++i) {
        if (const auto* failure = std::get_if<CellFailure>(&terms[i][row])) {
          fail(select_.filter_texts_[i], *failure, rows, row);
        }
      }
    }
    return passes;
  }

  void give_out() {
    if (passed_.row_count == 0) return;
    if (select_.limit_) shorten(wanted_rows());
    const std::vector<OutputColumn> results = evaluator_.evaluate(
        select_.output_.plan, input_batch(select_.output_, passed_), options_.stop);
    std::vector<std::optional<std::string_view>> values(results.size());
    for (std::size_t row = 0; row < passed_.row_count; ++row) {
      for (std::size_t i = 0; i < results.size(); ++i) {
        const auto* const failure = std::get_if<CellFailure>(&results[i][row]);
        if (failure) fail(select_.output_texts_[i], *failure, passed_, row);
        const TextCell& cell = std::get<TextCell>(results[i][row]);
        values[i] = cell ? std::optional<std::string_view>(*cell) : std::nullopt;
      }
      consumer_(values);
      ++given_;
    }
    passed_ = empty_batch();
  }

  void shorten(std::size_t row_count) {
    if (passed_.row_count <= row_count) return;
    passed_.row_count = row_count;
    for (TextColumn& column : passed_.columns) column.resize(row_count);
  }

  [[noreturn]] void fail(const std::string& expression, const CellFailure& failure,
                         const TextBatch& rows, std::size_t row) const {
    std::vector<std::string> names;
    for (const auto& [name, column] : select_.row_names_) {
      const TextCell& value = rows.columns[static_cast<std::size_t>(column)][row];
      names.push_back(name + " = " + shown_value(value));
    }
    const std::string where = names.empty() ? "" : " for the row with " + join(names, ", ");
    throw Error(
        ErrorCode::kComputation,
        fmt::format("{} failed{}: {} ({})", expression, where, failure.message, failure.type),
        "Leave such rows out with WHERE, or keep the value in a computed column with "
        "OPTIONS (on_error 'ignore').");
  }

  const EngineSelect& select_;
  Evaluator evaluator_;
  pg::Connection& connection_;
  const SelectOptions& options_;
  const RowConsumer& consumer_;
  std::int64_t skip_;
  TextBatch passed_;  // passed the filter, not given out yet
  std::uint64_t given_ = 0;
};

std::uint64_t EngineSelect::run(const SelectSession& session, const SelectOptions& options,
                                const RowConsumer& consumer) const {
  return Run(*this, session, options, consumer).run();
}

std::string EngineSelect::explain() const {
  std::string text = "PostgreSQL: " + source_ + "\n";
  if (filter_) {
    text += filter_->plan.explain() + "keep rows where " + join(filter_texts_, " AND ") + "\n";
  }
  if (limit_) text += fmt::format("stop after {} rows\n", *limit_);
  return text + output_.plan.explain();
}

}  // namespace coppice::exec
