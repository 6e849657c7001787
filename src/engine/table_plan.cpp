// plan_table of schema_plan.h: columns, constraints, indexes and settings of one table.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "engine/schema_plan.h"
#include "engine/schema_text.h"

namespace coppice::engine {
namespace {

using catalog::ConstraintKind;
using Work = SchemaStep::Work;

bool same_constraint(const ConstraintDraft& a, const ConstraintDraft& b) {
  if (a.kind != b.kind) return false;
  if (a.kind == ConstraintKind::kCheck) return a.expression == b.expression;
  return a.columns == b.columns && a.nulls_distinct == b.nulls_distinct;
}

class TablePlanner {
 public:
  TablePlanner(const TableModel& wanted, const TableModel& present, bool prune, SchemaPlan& plan)
      : wanted_(wanted), present_(present), prune_(prune), plan_(plan) {}

  void run() {
    for (const ColumnDraft& column : wanted_.draft.columns) {
      const ColumnDraft* there = present_.find_column(column.info.name);
      if (there == nullptr) {
        add_column(column);
      } else {
        change_column(column, *there);
      }
    }
    put_fills_in_order();
    drop_columns();
    plan_constraints();
    plan_indexes();
    plan_settings();
    tell();
  }

 private:
  SchemaStep& add(SchemaPhase phase, std::string action, std::string object, std::string sql,
                  const SchemaPlace& place) {
    SchemaStep step;
    step.phase = phase;
    step.action = std::move(action);
    step.object = std::move(object);
    step.sql = std::move(sql);
    step.place = place;
    step.table = wanted_.name;
    plan_.steps.push_back(std::move(step));
    return plan_.steps.back();
  }

  SchemaStep& alter(SchemaPhase phase, const std::string& action, const std::string& object,
                    const std::string& command, const SchemaPlace& place) {
    return add(phase, action, object,
               fmt::format("ALTER TABLE {} {}", shown_name(wanted_.name), command), place);
  }

  SchemaStep& alter_column(SchemaPhase phase, const std::string& action, const ColumnDraft& column,
                           const std::string& command) {
    return alter(
        phase, action, object(column),
        fmt::format("ALTER COLUMN {} {}", sql::quote_identifier(column.info.name), command),
        place(column));
  }

  void drop(SchemaPhase phase, const std::string& action, const std::string& object,
            const std::string& sql) {
    add(prune_ ? phase : SchemaPhase::kKept, prune_ ? action : "keep", object, sql, {});
  }

  std::string object(const ColumnDraft& column) const {
    return shown_column(wanted_.name, column.info.name);
  }

  SchemaPlace place(const ColumnDraft& column) const {
    SchemaPlace place = wanted_.place;
    if (column.location >= 0) place.location = column.location;
    return place;
  }

  // Constraints and indexes over columns that are filled come after the fill.
  SchemaPhase phase_over(const std::vector<std::string>& columns) const {
    const bool filled = std::any_of(columns.begin(), columns.end(), [&](const std::string& name) {
      return filled_.contains(name);
    });
    return filled ? SchemaPhase::kAfterFills : SchemaPhase::kConstraints;
  }

  void add_column(const ColumnDraft& column) {
    added_ = true;
    const bool computed = column.info.computed();
    SchemaStep& step = alter(computed ? SchemaPhase::kFills : SchemaPhase::kColumns, "add column",
                             object(column), "ADD COLUMN " + column_text(column), place(column));
    if (computed) {
      step.work = Work::kAddComputed;
      step.column = &column;
      filled_.insert(column.info.name);
    }
    comment_on(column, std::nullopt);
  }

  // Nothing but a drop and an addition makes the one from the other.
  void remake_column(const ColumnDraft& column, const std::string& why) {
    const std::string drop_sql =
        fmt::format("ALTER TABLE {} DROP COLUMN {}", shown_name(wanted_.name),
                    sql::quote_identifier(column.info.name));
    drop(SchemaPhase::kDropFirst, "drop column", object(column), drop_sql);
    if (prune_) {
      add_column(column);
    } else {
      plan_.notices.push_back(
          fmt::format("{} {}; --prune drops it and adds it anew", object(column), why));
    }
  }

  void change_column(const ColumnDraft& column, const ColumnDraft& there) {
    if (column.info.computed() != there.info.computed()) {
      return remake_column(column, column.info.computed() ? "is not computed here, but in the file"
                                                          : "is computed here, not in the file");
    }
    const bool other_type = column.info.type != there.info.type;
    if (other_type && column.info.computed()) {
      return remake_column(column, fmt::format("is of type {} here, of {} in the file",
                                               there.info.type, column.info.type));
    }
    change_numbering(column, there);
    if (other_type) {
      alter_column(SchemaPhase::kFills, "change type of", column, "TYPE " + column.info.type);
      filled_.insert(column.info.name);
    }
    if (column.info.expression != there.info.expression) {
      SchemaStep& step = add(SchemaPhase::kFills, "change expression of", object(column),
                             fmt::format("-- coppice alter-column {} {}", object(column),
                                         sql::quote_literal(*column.info.expression)),
                             place(column));
      step.work = Work::kChangeExpression;
      step.column = &column;
      filled_.insert(column.info.name);
    }
    change_settings(column, there);
  }

  void change_numbering(const ColumnDraft& column, const ColumnDraft& there) {
    if (column.info.identity && there.info.identity) {
      if (column.info.identity == there.info.identity &&
          column.sequence_options == there.sequence_options) {
        return;
      }
      if (column.sequence_options == there.sequence_options) {
        const bool always = *column.info.identity == "always";
        alter_column(SchemaPhase::kColumns, "change identity of", column,
                     always ? "SET GENERATED ALWAYS" : "SET GENERATED BY DEFAULT");
        return;
      }
    } else if (there.info.identity && !column.serial) {
      alter_column(SchemaPhase::kColumns, "drop identity of", column, "DROP IDENTITY");
      return;
    } else if (column.info.identity && !there.serial) {
      alter_column(SchemaPhase::kConstraints, "add identity to", column,
                   "ADD " + identity_text(column));
      return;
    } else if (column.serial == there.serial) {
      return;
    }
    add(SchemaPhase::kKept, "keep", object(column),
        "-- how it numbers rows (serial, options of identity) cannot be changed", place(column));
  }

  void change_settings(const ColumnDraft& column, const ColumnDraft& there) {
    const bool filled = filled_.contains(column.info.name);
    const SchemaPhase phase = filled ? SchemaPhase::kAfterFills : SchemaPhase::kColumns;
    if (column.info.default_sql != there.info.default_sql) {
      const auto& value = column.info.default_sql;
      alter_column(phase, value ? "set default of" : "drop default of", column,
                   value ? "SET DEFAULT " + *value : "DROP DEFAULT");
    }
    if (column.info.not_null != there.info.not_null) {
      const bool set = column.info.not_null;
      alter_column(set && !filled ? SchemaPhase::kConstraints : phase,
                   set ? "forbid NULL in" : "allow NULL in", column,
                   set ? "SET NOT NULL" : "DROP NOT NULL");
    }
    if (column.info.on_error != there.info.on_error) {
      const bool ignore = column.info.on_error == catalog::OnError::kIgnore;
      // Before a fill: a cell that fails then is not to stop it.
      alter_column(SchemaPhase::kColumns, "set on_error of", column,
                   fmt::format("SET (on_error = '{}')", ignore ? "ignore" : "abort"));
    }
    if (column.info.backup != there.info.backup) {
      alter_column(phase, "set backup of", column,
                   fmt::format("SET (backup = {})", sql::quote_literal(column.info.backup)));
    }
    if (column.info.references != there.info.references) {
      alter_column(
          phase, "set references of", column,
          fmt::format("SET (references = {})", sql::quote_literal(column.info.references)));
    }
    comment_on(column, there.info.comment);
  }

  void comment_on(const ColumnDraft& column, const std::optional<std::string>& there) {
    comment("COLUMN " + object(column), object(column), column.info.comment, there, place(column));
  }

  void comment(const std::string& what, const std::string& object,
               const std::optional<std::string>& wanted, const std::optional<std::string>& there,
               const SchemaPlace& place) {
    if (wanted == there) return;
    const std::string sql = comment_text(what, wanted);
    if (wanted) {
      add(SchemaPhase::kWords, "comment on", object, sql, place);
    } else {
      drop(SchemaPhase::kWords, "remove comment on", object, sql);
    }
  }

  // A filled column comes after those that its expression reads.
  void put_fills_in_order() {
    std::vector<SchemaStep> waiting;
    std::erase_if(plan_.steps, [&](SchemaStep& step) {
      if (!step.is_fill() || step.table != wanted_.name) return false;
      waiting.push_back(std::move(step));
      return true;
    });
    const auto is_ready = [&](const SchemaStep& step) {
      if (step.column == nullptr) return true;  // a change of type reads its own column
      const std::vector<std::string> reads = names_read(*step.column->info.expression);
      return std::none_of(waiting.begin(), waiting.end(), [&](const SchemaStep& other) {
        return &other != &step && std::count(reads.begin(), reads.end(), column_of(other)) > 0;
      });
    };
    while (!waiting.empty()) {
      auto next = std::find_if(waiting.begin(), waiting.end(), is_ready);
      // Columns that read each other: the first of them is refused with the circle.
      if (next == waiting.end()) next = waiting.begin();
      plan_.steps.push_back(std::move(*next));
      waiting.erase(next);
    }
  }

  std::string column_of(const SchemaStep& fill) const {
    if (fill.column != nullptr) return fill.column->info.name;
    for (const std::string& name : filled_) {
      if (fill.object == shown_column(wanted_.name, name)) return name;
    }
    return {};
  }

  void drop_columns() {
    std::vector<const ColumnDraft*> waiting;
    for (const ColumnDraft& column : present_.draft.columns) {
      if (wanted_.find_column(column.info.name) == nullptr) waiting.push_back(&column);
    }
    left_ = !waiting.empty();
    // One that others read goes after them.
    while (!waiting.empty()) {
      auto next = std::find_if(waiting.begin(), waiting.end(), [&](const ColumnDraft* column) {
        return std::none_of(waiting.begin(), waiting.end(), [&](const ColumnDraft* other) {
          if (other == column || !other->info.computed()) return false;
          const std::vector<std::string> reads = names_read(*other->info.expression);
          return std::count(reads.begin(), reads.end(), column->info.name) > 0;
        });
      });
      if (next == waiting.end()) next = waiting.begin();
      drop(SchemaPhase::kDropLast, "drop column", object(**next),
           fmt::format("ALTER TABLE {} DROP COLUMN {}", shown_name(wanted_.name),
                       sql::quote_identifier((*next)->info.name)));
      waiting.erase(next);
    }
  }

  // The constraint of the table that `constraint` of the file means.
  const ConstraintDraft* counterpart(const ConstraintDraft& constraint,
                                     const std::set<const ConstraintDraft*>& taken) const {
    const auto find = [&](const auto& is_it) -> const ConstraintDraft* {
      for (const ConstraintDraft& there : present_.draft.constraints) {
        if (!taken.contains(&there) && is_it(there)) return &there;
      }
      return nullptr;
    };
    const bool named = !constraint.name.empty();
    if (!named) {
      const auto* same =
          find([&](const auto& there) { return same_constraint(constraint, there); });
      if (same != nullptr) return same;
    }
    const std::string name =
        named ? constraint.name : constraint_name(wanted_.name.name, constraint, {});
    return find([&](const auto& there) { return there.name == name; });
  }

  void plan_constraints() {
    std::set<const ConstraintDraft*> taken;
    std::vector<std::pair<const ConstraintDraft*, const ConstraintDraft*>> pairs;
    for (const ConstraintDraft& constraint : wanted_.draft.constraints) {
      const ConstraintDraft* there = counterpart(constraint, taken);
      if (there != nullptr) taken.insert(there);
      pairs.emplace_back(&constraint, there);
    }
    for (const ConstraintDraft& there : present_.draft.constraints) {
      if (!taken.contains(&there) && !goes_with_its_column(there)) {
        drop(SchemaPhase::kDropFirst, "drop constraint", constraint_object(there.name),
             drop_constraint_text(there));
      }
    }
    for (const auto& [constraint, there] : pairs) {
      if (there != nullptr && same_constraint(*constraint, *there)) continue;
      if (there != nullptr) {
        add(SchemaPhase::kDropFirst, "drop constraint", constraint_object(there->name),
            drop_constraint_text(*there), wanted_.place);
      }
      add_constraint(*constraint);
    }
  }

  bool goes_with_its_column(const ConstraintDraft& constraint) const {
    return std::any_of(
        constraint.columns.begin(), constraint.columns.end(),
        [&](const std::string& name) { return wanted_.find_column(name) == nullptr; });
  }

  std::string constraint_object(const std::string& name) const {
    return shown_name(wanted_.name) + " " + sql::quote_identifier(name);
  }

  std::string drop_constraint_text(const ConstraintDraft& constraint) const {
    return fmt::format("ALTER TABLE {} DROP CONSTRAINT {}", shown_name(wanted_.name),
                       sql::quote_identifier(constraint.name));
  }

  void add_constraint(const ConstraintDraft& constraint) {
    ConstraintDraft named = constraint;
    if (named.name.empty()) {
      // A name of our own, so that the plan says it.
      std::vector<std::string> taken;
      for (const ConstraintDraft& there : present_.draft.constraints) {
        if (!same_constraint(there, constraint)) taken.push_back(there.name);
      }
      const auto* replaced = counterpart(constraint, {});
      if (replaced != nullptr) std::erase(taken, replaced->name);
      for (const std::string& name : new_names_) taken.push_back(name);
      named.name = constraint_name(wanted_.name.name, constraint, taken);
    }
    new_names_.push_back(named.name);
    const std::vector<std::string> columns =
        named.expression ? names_read(*named.expression) : named.columns;
    alter(phase_over(columns), "add constraint", constraint_object(named.name),
          "ADD " + constraint_text(named), wanted_.place);
  }

  void plan_indexes() {
    std::set<const IndexModel*> taken;
    for (const IndexModel& index : wanted_.indexes) {
      const IndexModel* there = nullptr;
      for (const IndexModel& known : present_.indexes) {
        const bool same =
            index.name.empty() ? known.definition == index.definition : known.name == index.name;
        if (same && !taken.contains(&known)) there = &known;
      }
      if (there != nullptr) taken.insert(there);
      if (there != nullptr && there->definition == index.definition) continue;
      if (there != nullptr) {
        add(SchemaPhase::kDropFirst, "drop index", there->name, drop_index_text(*there),
            index.place);
      }
      add(filled_.empty() ? SchemaPhase::kConstraints : SchemaPhase::kAfterFills, "create index",
          index.name.empty() ? shown_name(wanted_.name) : index.name,
          create_index_text(wanted_.name, index), index.place);
    }
    for (const IndexModel& there : present_.indexes) {
      if (taken.contains(&there)) continue;
      drop(SchemaPhase::kDropFirst, "drop index", there.name, drop_index_text(there));
    }
  }

  std::string drop_index_text(const IndexModel& index) const {
    return "DROP INDEX " + shown_name({wanted_.name.schema, index.name});
  }

  void plan_settings() {
    const std::string name = shown_name(wanted_.name);
    comment("TABLE " + name, name, wanted_.comment, present_.comment, wanted_.place);
    if (wanted_.retention == present_.retention) return;
    const std::string sql = wanted_.retention
                                ? retention_text(wanted_.name, *wanted_.retention)
                                : fmt::format("ALTER TABLE {} RESET (retention)", name);
    if (wanted_.retention) {
      add(SchemaPhase::kColumns, "set retention of", name, sql, wanted_.place);
    } else {
      drop(SchemaPhase::kColumns, "remove retention of", name, sql);
    }
    plan_.steps.back().work = Work::kSetRetention;
    plan_.steps.back().retention = wanted_.retention;
  }

  void tell() {
    if (!added_ || !left_) return;
    plan_.notices.push_back(fmt::format(
        "a column of {0} that was renamed in the file looks like a new one beside one that the "
        "file does not name; to keep its values, first: ALTER TABLE {0} RENAME COLUMN … TO …",
        shown_name(wanted_.name)));
  }

  const TableModel& wanted_;
  const TableModel& present_;
  const bool prune_;
  SchemaPlan& plan_;
  std::set<std::string> filled_;
  std::vector<std::string> new_names_;
  bool added_ = false;
  bool left_ = false;
};

}  // namespace

void plan_table(const TableModel& wanted, const TableModel& present, bool prune, SchemaPlan& plan) {
  TablePlanner(wanted, present, prune, plan).run();
}

}  // namespace coppice::engine
