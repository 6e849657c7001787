#include "engine/rehearsal.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/clock.h"
#include "base/text.h"
#include "catalog/expressions.h"
#include "catalog/store_ddl.h"
#include "engine/column_definition.h"
#include "engine/engine_query.h"
#include "engine/materialized_view.h"
#include "engine/quiet_sinks.h"
#include "engine/rehearsal_parts.h"
#include "engine/statement_tools.h"
#include "engine/view_stages.h"
#include "exec/binder.h"
#include "sql/deparse.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;
using catalog::TablePointer;
using sql::as;
using std::chrono::steady_clock;

constexpr std::int64_t kUsualRows = 20;
constexpr std::int64_t kUsualSqlRows = 2'000;  // they cost nothing but time
constexpr std::int64_t kMostGroups = 10;
constexpr const char* kTarget = "pg_temp.coppice_target";

std::string current_ids(const TableInfo& table) {
  return fmt::format("SELECT _row FROM {} WHERE _to = {}", table.store_table(),
                     catalog::kCurrentText);
}

std::map<std::string, Usage> difference(const std::map<std::string, Usage>& now,
                                        const std::map<std::string, Usage>& before) {
  std::map<std::string, Usage> made;
  for (const auto& [function, total] : now) {
    Usage usage = total;
    if (const auto found = before.find(function); found != before.end()) {
      const Usage& old = found->second;
      usage.calls -= old.calls;
      usage.requests -= old.requests;
      usage.retries -= old.retries;
      usage.failures -= old.failures;
      usage.kept -= old.kept;
      usage.repeats -= old.repeats;
      usage.tokens_in -= old.tokens_in;
      usage.tokens_out -= old.tokens_out;
      usage.money -= old.money;
      usage.seconds -= old.seconds;
    }
    if (!usage.empty()) made[function] = usage;
  }
  return made;
}

}  // namespace

std::uint64_t random_number() {
  const std::string bytes = random_bytes(sizeof(std::uint64_t));
  std::uint64_t number = 0;
  std::memcpy(&number, bytes.data(), sizeof number);
  return number;
}

std::string resolved_text(EngineContext& context, const sql::Statement& query) {
  sql::Statement copy = sql::parse_statement(sql::deparse(query.node()));
  resolve_versions(context, copy);
  qualify_media_types(sql::message_of(copy.node()), copy.arena());
  return sql::deparse(copy.node());
}

std::int64_t count_rows(EngineContext& context, const std::string& query) {
  return context.main.exec(fmt::format("SELECT count(*) FROM ({}) AS coppice_q", query))
      .integer(0, 0);
}

bool uses_workers(EngineContext& context, const TableInfo& table) {
  if (table.has_engine_columns() || table.has_media()) return true;
  const auto views = views_over(context, table);
  return std::any_of(views.begin(), views.end(), [](const TablePointer& view) {
    return view->has_engine_columns() || view->view->iterator ||
           std::any_of(view->columns.begin(), view->columns.end(),
                       [](const ColumnInfo& column) { return column.uses_engine; });
  });
}

Rehearsal::Rehearsal(EngineContext& context, std::int64_t sample_rows, std::string statement)
    : context_(context),
      asked_rows_(sample_rows),
      statement_(std::move(statement)),
      spending_(context.spending(), "estimate"),
      order_(fmt::format("hashtextextended({{}}::text, {})",
                         static_cast<std::int64_t>(random_number() >> 1U))) {
  context.rehearsal = this;
}

Rehearsal::~Rehearsal() {
  context_.rehearsal = nullptr;
  try {
    drop_scratch();
  } catch (const Error&) {
    // The database is away; jobs will list what is left.
  }
  context_.forget_catalog();
}

void Rehearsal::begin(const TableInfo& table) {
  operation_ = context_.log.begin(table, "estimate", statement_);
  context_.main.exec_cached(
      "UPDATE coppice.operations SET stage_name = $3 WHERE tree_id = $1 AND op_id = $2",
      {std::to_string(operation_->tree_id), std::to_string(operation_->op_id),
       fmt::format("coppice_store.s{}_{}", operation_->tree_id, operation_->op_id)});
}

void Rehearsal::drop_scratch() {
  context_.main.exec(fmt::format("DROP TABLE IF EXISTS {}, {}", kSample, kTarget));
  if (!operation_) return;
  drop_stage_tables(context_, operation_->tree_id, operation_->op_id);
  for (const char* const table : {"media_references", "operations"}) {
    context_.main.exec_params(
        fmt::format("DELETE FROM coppice.{} WHERE tree_id = $1 AND op_id = $2", table),
        {std::to_string(operation_->tree_id), std::to_string(operation_->op_id)});
  }
}

// Groups

void Rehearsal::set_sample(std::int64_t total, bool uses_workers) {
  const std::int64_t usual = uses_workers ? kUsualRows : kUsualSqlRows;
  sample_ = std::min(total, asked_rows_ > 0 ? asked_rows_ : usual);
  groups_ = std::clamp<std::int64_t>(sample_, 1, kMostGroups);
  figures_.total_units = static_cast<double>(total);
}

std::pair<std::int64_t, std::int64_t> Rehearsal::bounds() const {
  if (empty_group_) return {0, 0};
  return {sample_ * group_ / groups_, sample_ * (group_ + 1) / groups_};
}

void Rehearsal::run_groups(const std::function<void(GroupFigures&)>& group) {
  // The first one may find out how many there are.
  for (group_ = 0; group_ < groups_; ++group_) {
    GroupFigures figures;
    measure(group, figures);
    const auto [begin, end] = bounds();
    figures.units = static_cast<double>(end - begin);
    figures_.groups.push_back(std::move(figures));
  }
  empty_group_ = true;
  GroupFigures nothing;
  measure(group, nothing);
  figures_.idle_seconds = nothing.seconds;
}

void Rehearsal::measure(const std::function<void(GroupFigures&)>& group, GroupFigures& figures) {
  context_.check_stop();
  const std::map<std::string, Usage> before = context_.spending().totals();
  failures_ = 0;
  const auto begin = steady_clock::now();
  try {
    group(figures);
  } catch (const Error& error) {
    // The cell of a query, or of WHERE: the statement would end here.
    if (error.code() != ErrorCode::kComputation) throw;
    ++failures_;
  }
  figures.seconds = std::chrono::duration<double>(steady_clock::now() - begin).count();
  figures.failures = failures_;
  figures.usage = difference(context_.spending().totals(), before);
  if (operation_ && !has_view_store_) {
    drop_stage_tables(context_, operation_->tree_id, operation_->op_id);
  }
}

void Rehearsal::sample_rows_of(const std::string& ids_query, bool uses_workers) {
  set_sample(count_rows(context_, ids_query), uses_workers);
  const pg::Result rows = context_.main.exec(
      fmt::format("SELECT coppice_i FROM ({}) AS coppice_q(coppice_i) ORDER BY random() LIMIT {}",
                  ids_query, sample_));
  ids_.clear();
  for (int row = 0; row < rows.rows(); ++row) ids_.push_back(rows.integer(row, 0));
  sample_ = std::min(sample_, static_cast<std::int64_t>(ids_.size()));
}

std::string Rehearsal::ids_of_group() const {
  const auto [begin, end] = bounds();
  return bigint_array({ids_.begin() + begin, ids_.begin() + end});
}

// Writes

void Rehearsal::count_stage(const Stage& stage, GroupFigures& figures) {
  const auto count = [&](const std::string& table) {
    return static_cast<double>(
        context_.main
            .exec(fmt::format("SELECT count(*) FROM {} WHERE _action IN ('i', 'u', 'd')", table))
            .integer(0, 0));
  };
  figures.rows[stage.table().user_name()] += count(stage.name());
  for (const TablePointer& view : views_over(context_, stage.table())) {
    const std::string name = fmt::format("{}_v{}", stage.name(), view->table_id);
    const bool made = !context_.main.exec_params("SELECT to_regclass($1)", {name}).is_null(0, 0);
    if (!made) continue;
    figures.rows[view->user_name()] += count(name);
  }
}

void Rehearsal::staged(TablePointer table, const StagedPlan& plan) {
  begin(*table);
  figures_.unit_table = table->user_name();
  const bool workers = uses_workers(context_, *table);
  const bool updates = plan.kind == "update";
  has_ids_ = updates;
  if (updates) {
    sample_rows_of(plan.rows_query.empty() ? current_ids(*table) : plan.rows_query, workers);
  } else if (plan.kind != "insert") {
    throw Error(ErrorCode::kUnsupported, fmt::format("{} cannot be estimated", plan.tag));
  }
  SilentSink sink;
  run_groups([&](GroupFigures& figures) {
    Stage stage = Stage::create(context_, table, *operation_);
    ViewStages views(context_, *operation_);
    const auto [begin_at, end_at] = bounds();
    std::vector<std::int64_t> only;
    if (updates) only.assign(ids_.begin() + begin_at, ids_.begin() + end_at);
    if (updates && only.empty()) only.push_back(-1);  // no row has this id
    plan.load(stage, only);
    if (!updates && sample_ < 0) set_sample(1, workers);  // DEFAULT VALUES
    stage.take_media(plan.media, true, sink);
    stage.compute(plan.computed(*table), sink);
    views.bring_up(stage, plan.media, sink);
    count_stage(stage, figures);
  });
}

void Rehearsal::table_as(const std::string& table, const std::vector<std::string>& types,
                         const std::string& query) {
  figures_.unit_table = table;
  std::vector<std::string> names, columns;
  for (std::size_t i = 0; i < types.size(); ++i) {
    names.push_back(fmt::format("x{}", i));
    columns.push_back(fmt::format("x{} {}", i, types[i]));
  }
  sql::Statement statement = sql::parse_statement(query);
  const bool calls = exec::mentions_engine_function(statement.node(), context_.functions);
  run_groups([&](GroupFigures& figures) {
    context_.main.exec(fmt::format("DROP TABLE IF EXISTS {}", kTarget));
    context_.main.exec(fmt::format("CREATE TEMP TABLE coppice_target ({})", join(columns, ", ")));
    sql::Statement rows = sql::parse_statement(query);
    if (calls || reads_engine_view(context_, rows)) {
      load_group(rows, [&](sql::Statement& part) {
        load_engine_query(context_, kTarget, names, types, part, {});
      });
    } else {
      const std::string text = resolved_text(context_, rows);
      if (sample_ < 0) set_sample(count_rows(context_, text), false);
      const auto [begin, end] = bounds();
      context_.main.exec(
          fmt::format("INSERT INTO {} SELECT * FROM ({}) AS coppice_q OFFSET {} "
                      "LIMIT {}",
                      kTarget, text, begin, end - begin));
    }
    figures.rows[table] =
        static_cast<double>(count_rows(context_, fmt::format("SELECT FROM {}", kTarget)));
  });
}

// Fills and views

void Rehearsal::fill(const FillRequest& request) {
  const TablePointer table = context_.catalog.table(request.table);
  begin(*table);
  figures_.unit_table = table->user_name();
  COPPICE_ASSERT(request.columns.size() == 1);
  TableInfo wider = *table;
  wider.store = fmt::format("s{}_{}", operation_->tree_id, operation_->op_id);
  ColumnInfo column = request.columns[0].info;
  column.id = context_.main.exec_cached("SELECT nextval('coppice.ids')", {}).integer(0, 0);
  column.physical = fmt::format("c{}", column.id);
  column.position = static_cast<int>(wider.columns.size()) + 1;
  if (request.kind == FillKind::kAddDefault) {
    column.expression = column.default_sql ? *column.default_sql : "1";  // the next of a sequence
    column.default_sql.reset();
  }
  const bool new_type = request.kind == FillKind::kChangeType;
  std::vector<std::string> physical;
  for (const ColumnInfo& known : wider.columns) physical.push_back(known.physical);
  const std::string stored = join(physical, ", ");
  SilentSink sink;
  bool checked = false;
  run_groups([&](GroupFigures& figures) {
    Stage stage = Stage::create(context_, table, *operation_);
    context_.main.exec(fmt::format("ALTER TABLE {} ADD COLUMN {} {}", stage.name(), column.physical,
                                   catalog::store_type(column.type)));
    if (!checked) {
      check_computed_column(context_, wider, column, request.source, request.columns[0].location,
                            new_type                                ? ExpressionUse::kNewType
                            : request.kind == FillKind::kAddDefault ? ExpressionUse::kDefault
                                                                    : ExpressionUse::kComputed);
      sample_rows_of(current_ids(*table), column.uses_engine);
      wider.columns.push_back(column);
      checked = true;
    }
    stage.follow(std::make_shared<const TableInfo>(wider), *operation_);
    context_.main.exec_params(
        fmt::format("INSERT INTO {} (_row, _old, _action, {}) SELECT _row, _from, 'u', {} FROM {} "
                    "WHERE _to = {} AND _row = ANY ($1::bigint[])",
                    stage.name(), stored, stored, table->store_table(), catalog::kCurrentText),
        {ids_of_group()});
    stage.compute({&stage.table().columns.back()}, sink);
    figures.rows[table->user_name()] =
        static_cast<double>(count_rows(context_, fmt::format("SELECT FROM {}", stage.name())));
  });
}

void Rehearsal::view(const ViewQuery& query) {
  begin(*query.parent);
  figures_.unit_table = query.parent->user_name();
  const TablePointer view = make_scratch_view(
      context_, query, fmt::format("s{}_{}_v0", operation_->tree_id, operation_->op_id));
  has_view_store_ = true;
  const bool workers = query.view.iterator || query.view.condition || view->has_engine_columns() ||
                       std::any_of(view->columns.begin(), view->columns.end(),
                                   [](const ColumnInfo& column) { return column.uses_engine; });
  sample_rows_of(current_ids(*query.parent), workers);
  SilentSink sink;
  run_groups([&](GroupFigures& figures) {
    context_.main.exec(fmt::format("DROP TABLE IF EXISTS {}", kSample));
    context_.main.exec_params(
        fmt::format("CREATE TEMP TABLE coppice_sample AS SELECT * FROM {} WHERE _to = {} "
                    "AND _row = ANY ('{}'::bigint[])",
                    query.parent->store_table(), catalog::kCurrentText, ids_of_group()),
        {});
    ViewStage stage(context_, view, query.parent, {kSample, false, {}}, *operation_);
    const auto count = [&] {
      const bool made =
          !context_.main.exec_params("SELECT to_regclass($1)", {stage.name()}).is_null(0, 0);
      if (!made) return;
      figures.rows[view->user_name()] = static_cast<double>(
          count_rows(context_, fmt::format("SELECT FROM {} WHERE _action = 'i'", stage.name())));
      context_.main.exec("DROP TABLE " + stage.name());
    };
    try {
      stage.bring_up(sink);
    } catch (const Error&) {
      count();
      throw;
    }
    count();
  });
}

}  // namespace coppice::engine
