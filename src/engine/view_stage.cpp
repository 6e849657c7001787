#include "engine/view_stage.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "catalog/store_ddl.h"
#include "engine/bound_expression.h"
#include "engine/references.h"
#include "engine/revert_plan.h"
#include "engine/row_changes.h"
#include "engine/view_sql.h"
#include "pg/conninfo.h"
#include "pg/transaction.h"
#include "sql/deparse.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;
using catalog::TablePointer;
using Expression = ViewRecipe::Expression;

constexpr const char* kNew = "new";  // _changed of a marker: all of the row
constexpr const char* kGone = "gone";

// The parent's row is current, or takes part in the operation.
std::string takes_part(const ParentRows& rows, const std::string& alias) {
  if (rows.is_stage) return fmt::format("{}._action IN ('i', 'u', 'd')", alias);
  return fmt::format("{}._to = {}", alias, catalog::kCurrentText);
}

}  // namespace

ViewStage::ViewStage(EngineContext& context, const TablePointer& view, const TablePointer& parent,
                     ParentRows rows, const catalog::Operation& operation)
    : context_(context),
      view_(view),
      recipe_(context, view, parent),
      rows_(std::move(rows)),
      operation_(operation),
      stage_(Stage::of_view(context, view, operation)) {}

// The parts of SQL that the steps are made of

std::string ViewStage::parent_as(const std::string& alias) const {
  std::string cells;
  for (const ColumnInfo* column : recipe_.parent().visible_columns()) {
    if (!recipe_.reads().contains(column->id) && !column->not_null) continue;
    cells +=
        fmt::format("_coppice_s.{} AS {}, ", column->physical, sql::quote_identifier(column->name));
  }
  for (const ColumnInfo* column : naming_columns(recipe_.parent())) {
    if (recipe_.reads().contains(column->id) || column->not_null) continue;
    cells +=
        fmt::format("_coppice_s.{} AS {}, ", column->physical, sql::quote_identifier(column->name));
  }
  return fmt::format(
      "(SELECT {}_coppice_s._row AS _coppice_row, _coppice_s.{} AS _coppice_key FROM {} "
      "_coppice_s) AS {}",
      cells, rows_.key(), rows_.relation, sql::quote_identifier(alias));
}

// `cells`: what the iterator's columns are, with a %d-like "{}" for each number.
std::string ViewStage::iterator_row(const std::string& cells) const {
  if (recipe_.iterator() == nullptr) return {};
  const catalog::IteratorCall& call = *view_->view->iterator;
  std::vector<std::string> items;
  for (std::size_t i = 0; i < call.columns.size(); ++i) {
    items.push_back(fmt::format("{}.{} AS {}", cells, iterator_column(i),
                                sql::quote_identifier(call.columns[i])));
  }
  return fmt::format(" CROSS JOIN LATERAL (SELECT {}) AS {}", join(items, ", "),
                     sql::quote_identifier(call.alias));
}

std::string ViewStage::joined() const {
  const std::string& alias = view_->view->parent_alias;
  const std::string parent = sql::quote_identifier(alias);
  return fmt::format(
      "{} AS {} JOIN {} ON {}._coppice_row = {}._parent AND {}._coppice_key = {}._source",
      stage_.name(), kRow, parent_as(alias), parent, kRow, parent, kRow);
}

RoundRows ViewStage::rows_where(const std::string& where, bool with_iterator) const {
  RoundRows rows;
  rows.from = joined() + (with_iterator ? iterator_row(kRow) : "");
  rows.prefix = std::string(kRow) + ".";
  rows.where = where;
  const std::string parent = sql::quote_identifier(view_->view->parent_alias);
  for (const ColumnInfo* column : naming_columns(recipe_.parent())) {
    rows.naming.emplace_back(column->name, parent + "." + sql::quote_identifier(column->name));
  }
  if (with_iterator && recipe_.iterator() != nullptr) {
    rows.naming.emplace_back("pos", fmt::format("{}._i0", kRow));
  }
  return rows;
}

ViewStage::Cells ViewStage::all_cells() const {
  Cells cells;
  for (const Expression& cell : recipe_.columns()) cells.push_back(&cell);
  return cells;
}

ViewStage::Cells ViewStage::by_workers(const Cells& cells) const {
  Cells chosen;
  for (const Expression* cell : cells) {
    const bool plain = sql::as<PgQuery__ColumnRef>(cell->bound.node()) != nullptr;
    const bool guarded = row_by_row_ || cell->column->on_error == catalog::OnError::kIgnore;
    if (cell->uses_engine || (guarded && !plain)) chosen.push_back(cell);
  }
  return chosen;
}

ViewStage::Cells ViewStage::by_sql(const Cells& cells) const {
  const Cells workers = by_workers(cells);
  Cells chosen;
  for (const Expression* cell : cells) {
    if (std::count(workers.begin(), workers.end(), cell) == 0) chosen.push_back(cell);
  }
  return chosen;
}

ViewStage::Cells ViewStage::terms(const std::vector<Expression>& of, bool over_iterator) const {
  Cells chosen;
  for (const Expression& term : of) {
    if (term.iterator_reads.empty() != over_iterator) chosen.push_back(&term);
  }
  return chosen;
}

exec::Plan ViewStage::plan_of(const Cells& expressions, const std::string& from,
                              bool assign) const {
  std::vector<sql::Statement> copies;
  std::vector<const sql::Node*> nodes;
  for (const Expression* expression : expressions) {
    copies.push_back(sql::parse_expression(expression->sql));
    sql::Statement& copy = copies.back();
    nodes.push_back(assign ? as_assigned(context_, *expression->column, copy.node(), copy.arena())
                           : copy.node());
  }
  exec::CompileOptions options;
  options.sql_in_source = false;
  exec::Plan plan = exec::Plan::compile(nodes, context_.functions, options);
  if (plan.needs_source_types()) plan.describe_source(context_.main, "FROM " + from);
  return plan;
}

// The select list that makes these cells, and the physical columns that they are.
std::string ViewStage::made_row(const Cells& cells, std::string& names) const {
  std::string values;
  for (const Expression* cell : cells) {
    names += ", " + cell->column->physical;
    values += ", " + cell->sql;
  }
  return values;
}

// Making the stage, and what is not right any more

void ViewStage::ensure() {
  // What is inserted here has the operation's id, also when another process goes on with it.
  context_.main.exec_cached("SELECT set_config('coppice.op', $1, false)",
                            {std::to_string(operation_.op_id)});
  std::vector<std::string> columns;
  for (const ColumnInfo& column : view_->columns) columns.push_back(column.physical);
  const pg::Result known = context_.main.exec_params(
      "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 "
      "AND NOT attisdropped AND attname = ANY ($2::text[])",
      {stage_.name(), "{" + join(columns, ",") + "}"});
  if (known.integer(0, 0) == static_cast<std::int64_t>(columns.size())) return;
  std::string iterator;
  for (std::size_t i = 0; i < recipe_.iterator_types().size(); ++i) {
    iterator += fmt::format(", {} {}", iterator_column(i), recipe_.iterator_types()[i]);
  }
  pg::Transaction transaction(context_.main);
  context_.main.exec("DROP TABLE IF EXISTS " + stage_.name());
  context_.main.exec(fmt::format(
      "CREATE TABLE {0} (LIKE {1} INCLUDING DEFAULTS, "
      "_n bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, _old bigint, _source bigint, "
      "_action \"char\" NOT NULL DEFAULT 'i', _round integer NOT NULL DEFAULT 0, _changed text{2})",
      stage_.name(), view_->store_table(), iterator));
  transaction.commit();
}

// Rows whose parent's row does not take part any more, and those that others replaced in the view.
void ViewStage::drop_stale() {
  const std::string stale = fmt::format(
      "NOT EXISTS (SELECT FROM {} s WHERE s._row = v._parent AND s.{} = v._source AND {})",
      rows_.relation, rows_.key(), takes_part(rows_, "s"));
  if (!rows_.is_stage) {
    // The view is being made: its store holds what this operation made, and nobody reads it. A
    // parent that changed after the last look may have rows of both its states there: all of them
    // are made anew.
    context_.main.exec(
        fmt::format("WITH gone AS (SELECT v._parent FROM {0} v WHERE {1}), "
                    "unmarked AS (DELETE FROM {0} WHERE _parent IN (SELECT _parent FROM gone)) "
                    "DELETE FROM {2} WHERE _parent IN (SELECT _parent FROM gone)",
                    stage_.name(), stale, view_->store_table()));
    return;
  }
  context_.main.exec(fmt::format("DELETE FROM {} v WHERE {}", stage_.name(), stale));
  context_.main.exec(fmt::format(
      "DELETE FROM {0} WHERE (_parent, _source) IN (SELECT s._parent, s._source FROM {0} s "
      "WHERE s._action IN ('u', 'd') AND NOT EXISTS (SELECT FROM {1} t WHERE t._row = s._row "
      "AND t._from = s._old AND t._to = {2}))",
      stage_.name(), view_->store_table(), catalog::kCurrentText));
}

bool ViewStage::is_behind() {
  return context_.main
      .exec(fmt::format(
          "SELECT EXISTS (SELECT FROM {0} v WHERE NOT EXISTS (SELECT FROM {1} s "
          "WHERE s._row = v._parent AND s.{2} = v._source AND {3})) OR EXISTS (SELECT FROM {1} s "
          "WHERE {3} AND NOT EXISTS (SELECT FROM {0} v WHERE s._row = v._parent "
          "AND s.{2} = v._source))",
          stage_.name(), rows_.relation, rows_.key(), takes_part(rows_, "s")))
      .boolean(0, 0);
}

// Loading

void ViewStage::load() {
  pg::Transaction transaction(context_.main);
  insert_markers();
  const pg::Result masks = context_.main.exec(
      fmt::format("SELECT DISTINCT _changed FROM {} WHERE _action = 'n'", stage_.name()));
  for (int row = 0; row < masks.rows(); ++row) settle_changed(std::string(masks.text(row, 0)));
  settle_new();
  transaction.commit();
}

void ViewStage::insert_markers() {
  std::string changed = pg::quote_literal(kNew);
  std::string from = rows_.relation + " s";
  if (rows_.is_stage) {
    std::string masks;
    for (const std::int64_t id : recipe_.reads()) {
      const ColumnInfo& column = *recipe_.parent().column_by_id(id);
      std::string differs =
          fmt::format("o.{0}::text IS DISTINCT FROM s.{0}::text", column.physical);
      if (column.media_kind() && rows_.media_given.contains(column.name)) {
        differs += fmt::format(" OR s.{} LIKE 'http%'", column.physical);
      }
      masks += fmt::format(", CASE WHEN {} THEN '{}' END", differs, id);
    }
    changed = fmt::format(
        "CASE s._action WHEN 'i' THEN '{}' WHEN 'd' THEN '{}' ELSE concat_ws(',', NULL::text{}) "
        "END",
        kNew, kGone, masks);
    from +=
        fmt::format(" LEFT JOIN {} o ON s._action = 'u' AND o._row = s._row AND o._from = s._old",
                    recipe_.parent().store_table());
  }
  context_.main.exec(fmt::format(
      "INSERT INTO {0} (_row, _parent, _source, _action, _changed) "
      "SELECT 0, s._row, s.{1}, 'n', {2} FROM {3} WHERE {4} AND NOT EXISTS (SELECT FROM {0} m "
      "WHERE m._parent = s._row AND m._source = s.{1} AND m._action IN ('p', 'x')) "
      "ORDER BY s.{1}, s._row",
      stage_.name(), rows_.key(), changed, from, takes_part(rows_, "s")));
}

void ViewStage::settle_changed(const std::string& mask) {
  const auto settle = [&](const std::string& assignments) {
    context_.main.exec_params(fmt::format("UPDATE {} SET {} WHERE _action = 'n' AND _changed = $1",
                                          stage_.name(), assignments),
                              {mask});
  };
  if (mask == kNew) return;
  if (mask.empty()) return settle("_action = 'x', _round = 2");
  if (mask == kGone) {
    close_rows(mask);
    return settle("_action = 'x', _round = 2");
  }
  const ViewRecipe::Effect effect = recipe_.effect_of(ids_in(mask));
  if (effect.makes_rows_anew) {
    close_rows(mask);
    return settle(fmt::format("_changed = '{}'", kNew));
  }
  keep_rows(effect, mask);
  settle("_action = 'x', _round = 2");
}

void ViewStage::close_rows(const std::string& mask) {
  context_.main.exec_params(
      fmt::format("INSERT INTO {0} (_parent, _source, _row, _old, _action) "
                  "SELECT m._parent, m._source, t._row, t._from, 'd' FROM {0} m JOIN {1} t "
                  "ON t._parent = m._parent AND t._to = {2} "
                  "WHERE m._action = 'n' AND m._changed = $1 ORDER BY m._n, t._row",
                  stage_.name(), view_->store_table(), catalog::kCurrentText),
      {mask});
}

// The view's rows as they are, but for the cells that PostgreSQL makes anew.
void ViewStage::keep_rows(const ViewRecipe::Effect& effect, const std::string& mask) {
  const Cells again = by_sql(effect.columns);
  std::string names, values, kept;
  for (const ColumnInfo& column : view_->columns) {
    const auto made = std::find_if(again.begin(), again.end(), [&](const Expression* cell) {
      return cell->column->physical == column.physical;
    });
    names += ", " + column.physical;
    values += ", " + (made == again.end() ? "_coppice_t." + column.physical : (*made)->sql);
  }
  for (std::size_t i = 0; i < recipe_.iterator_types().size(); ++i) {
    const ColumnInfo* keeper = recipe_.keeper_of(i);
    names += ", " + iterator_column(i);
    values += ", _coppice_k." + iterator_column(i);
    kept += fmt::format("{}({})::{} AS {}", i == 0 ? "" : ", ",
                        keeper == nullptr ? "NULL" : "_coppice_t." + keeper->physical,
                        recipe_.iterator_types()[i], iterator_column(i));
  }
  if (!kept.empty()) kept = fmt::format(" CROSS JOIN LATERAL (SELECT {}) AS _coppice_k", kept);
  context_.main.exec_params(
      fmt::format("INSERT INTO {0} (_parent, _source, _row, _old, _action, _changed{1}) "
                  "SELECT {2}._parent, {2}._source, _coppice_t._row, _coppice_t._from, 'u', "
                  "{2}._changed{3} "
                  "FROM {4} JOIN {5} _coppice_t "
                  "ON _coppice_t._parent = {2}._parent AND _coppice_t._to = {6}{7}{8} "
                  "WHERE {2}._action = 'n' AND {2}._changed = $1 ORDER BY {2}._n, _coppice_t._row",
                  stage_.name(), names, kRow, values, joined(), view_->store_table(),
                  catalog::kCurrentText, kept, iterator_row("_coppice_k")),
      {mask});
}

// WHERE as far as PostgreSQL evaluates it over the parent's row.
void ViewStage::settle_new() {
  const bool open = !terms(recipe_.engine_terms(), false).empty();
  std::vector<std::string> conditions;
  for (const Expression* term : terms(recipe_.sql_terms(), false)) {
    conditions.push_back("(" + term->sql + ")");
  }
  if (conditions.empty()) {
    context_.main.exec(fmt::format("UPDATE {} SET _action = 'p', _round = {} WHERE _action = 'n'",
                                   stage_.name(), open ? 0 : 1));
    return;
  }
  const std::string& alias = view_->view->parent_alias;
  const std::string parent = sql::quote_identifier(alias);
  try {
    context_.main.exec(fmt::format(
        "UPDATE {0} AS {1} SET _action = CASE WHEN {2} THEN 'p' ELSE 'x' END, _round = {3} "
        "FROM {4} WHERE {1}._action = 'n' AND {5}._coppice_row = {1}._parent "
        "AND {5}._coppice_key = {1}._source",
        stage_.name(), kRow, join(conditions, " AND "), open ? 0 : 1, parent_as(alias), parent));
  } catch (const pg::ServerError& error) {
    if (!is_data_error(error)) throw;
    throw Error(ErrorCode::kComputation,
                fmt::format("WHERE of materialized view {} failed: {}", view_->user_name(),
                            error.fields().primary),
                "correct the row, or write WHERE so that it cannot fail: CASE WHEN …");
  }
}

void ViewStage::bring_up(ResultSink& sink) {
  const WritingScope scope(context_, operation_);
  ensure();
  drop_stale();
  load();
  judge(terms(recipe_.engine_terms(), false), 'p', sink);
  make_rows(sink);
  judge(terms(recipe_.engine_terms(), true), 'c', sink);
  compute(sink);
}

void ViewStage::restore(const catalog::VersionInfo& target, ResultSink& sink) {
  const WritingScope scope(context_, operation_);
  ensure();
  const RevertPlan plan(context_, view_, target);
  pg::Transaction transaction(context_.main);
  use_change_indexes(context_.main);
  context_.main.exec(plan.load_all(stage_.name()));
  bring_back_references(context_, operation_, *view_, target.version, stage_.name());
  transaction.commit();
  stage_.compute(plan.computed(), sink);
}

// Into the store

std::optional<std::int64_t> ViewStage::move_rows() {
  pg::Connection& main = context_.main;
  const pg::Result closed = main.exec(fmt::format(
      "UPDATE {} t SET _to = {} FROM {} s WHERE s._action IN ('u', 'd') AND t._from = s._old "
      "AND t._row = s._row AND t._to = {}",
      view_->store_table(), operation_.op_id, stage_.name(), catalog::kCurrentText));
  const pg::Result staged =
      main.exec(fmt::format("SELECT count(*) FILTER (WHERE _action IN ('u', 'd')), "
                            "count(*) FILTER (WHERE _action IN ('i', 'u', 'd')) FROM {}",
                            stage_.name()));
  if (static_cast<std::int64_t>(closed.affected_rows()) != staged.integer(0, 0)) {
    return std::nullopt;
  }
  move_new_rows();
  main.exec("DROP TABLE " + stage_.name());
  return staged.integer(0, 1);
}

void ViewStage::move_new_rows() {
  std::string columns = "_row, _parent";
  for (const ColumnInfo& column : view_->columns) columns += ", " + column.physical;
  context_.main.exec(
      fmt::format("INSERT INTO {0} (_from, _to, {1}) SELECT {2}, {3}, {1} FROM {4} "
                  "WHERE _action IN ('i', 'u') ORDER BY _n",
                  view_->store_table(), columns, operation_.op_id,
                  catalog::marked_to(*view_, catalog::RowMark::kGiven), stage_.name()));
}

}  // namespace coppice::engine
