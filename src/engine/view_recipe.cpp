#include "engine/view_recipe.h"

#include <algorithm>

#include "engine/bound_expression.h"
#include "engine/statement_tools.h"
#include "engine/view_query.h"
#include "exec/binder.h"
#include "exec/syntax.h"
#include "sql/deparse.h"
#include "sql/read.h"
#include "sql/references.h"

namespace coppice::engine {

using catalog::ColumnInfo;
using catalog::TablePointer;
using sql::as;

ViewRecipe::ViewRecipe(EngineContext& context, TablePointer view, TablePointer parent)
    : view_(std::move(view)), parent_(std::move(parent)) {
  const catalog::MaterializedInfo& info = *view_->view;
  if (info.iterator) {
    signature_ = &iterator_of(context, *parent_, info);
    iterator_types_ = {"bigint"};
    for (const IteratorColumn& column : signature_->columns) {
      iterator_types_.push_back(exec::server_type_name(column.type));
    }
    iterator_ = bind(context, info.iterator->call, true);
  }
  if (info.condition) {
    sql::Statement condition = sql::parse_expression(*info.condition);
    for (const sql::Node* term : exec::and_terms(condition.node())) {
      Expression bound = bind(context, sql::deparse_expression(term));
      (bound.uses_engine ? engine_terms_ : sql_terms_).push_back(std::move(bound));
    }
  }
  for (const ColumnInfo* column : view_->visible_columns()) {
    if (!column->derived) continue;
    Expression bound = bind(context, *column->derived);
    bound.column = column;
    columns_.push_back(std::move(bound));
  }
  const auto add_reads = [&](const Expression& expression) {
    reads_.insert(expression.parent_reads.begin(), expression.parent_reads.end());
  };
  for (const auto* list : {&columns_, &sql_terms_, &engine_terms_}) {
    for (const Expression& expression : *list) add_reads(expression);
  }
  if (iterator_) add_reads(*iterator_);
}

ViewRecipe::Expression ViewRecipe::bind(EngineContext& context, const std::string& text,
                                        bool is_iterator) const {
  Expression expression{nullptr, sql::parse_expression(text), {}, false, {}, {}, {}};
  note_reads(expression);
  CatalogKinds relations(context);
  sql::Statement& bound = expression.bound;
  exec::BindContext binding{bound.arena(), context.functions, relations, bound.source(), 0, {}};
  if (is_iterator) binding.iterator = as<PgQuery__FuncCall>(bound.node());
  exec::bind_expression(bound.root(), view_scope(context, *parent_, *view_->view), binding);
  expression.uses_engine = binding.engine_calls > 0;
  qualify_media_types(sql::message_of(bound.node()), bound.arena());
  expression.sql = sql::deparse_expression(bound.node());
  return expression;
}

void ViewRecipe::note_reads(Expression& expression) const {
  const catalog::MaterializedInfo& info = *view_->view;
  for (const auto* reference : sql::collect_column_refs(expression.bound.node())) {
    const std::vector<std::string> names = sql::column_ref_names(*reference);
    if (names.front() == info.parent_alias) {
      const ColumnInfo* column = parent_->find_column(names.back());
      if (column == nullptr) {
        throw Error(
            ErrorCode::kConflict,
            "column \"" + names.back() + "\" of " + parent_->user_name() + " was changed meanwhile",
            "run the statement again");
      }
      expression.parent_reads.insert(column->id);
      continue;
    }
    const auto& columns = info.iterator->columns;
    const auto place = std::find(columns.begin(), columns.end(), names.back());
    COPPICE_ASSERT(place != columns.end());
    const auto number = static_cast<std::size_t>(place - columns.begin());
    expression.iterator_reads.insert(number);
    if (as<PgQuery__ColumnRef>(expression.bound.node()) == reference) expression.plain_of = number;
  }
}

const ColumnInfo* ViewRecipe::keeper_of(std::size_t iterator_column) const {
  for (const Expression& expression : columns_) {
    if (expression.plain_of == iterator_column) return expression.column;
  }
  return nullptr;
}

ViewRecipe::Effect ViewRecipe::effect_of(const std::set<std::int64_t>& changed) const {
  const auto reads_changed = [&](const Expression& expression) {
    return std::any_of(changed.begin(), changed.end(),
                       [&](std::int64_t id) { return expression.parent_reads.contains(id); });
  };
  Effect effect;
  effect.makes_rows_anew = (iterator_ && reads_changed(*iterator_)) ||
                           std::any_of(sql_terms_.begin(), sql_terms_.end(), reads_changed) ||
                           std::any_of(engine_terms_.begin(), engine_terms_.end(), reads_changed);
  for (const Expression& expression : columns_) {
    if (!reads_changed(expression)) continue;
    effect.columns.push_back(&expression);
    // What the iterator gave is not there any more, unless a column kept it.
    for (const std::size_t number : expression.iterator_reads) {
      if (keeper_of(number) == nullptr) effect.makes_rows_anew = true;
    }
  }
  return effect;
}

}  // namespace coppice::engine
