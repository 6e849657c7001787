#include "engine/schema_plan.h"

#include <fmt/core.h>

#include <algorithm>

#include "engine/schema_text.h"

namespace coppice::engine {
namespace {

using Work = SchemaStep::Work;

class Planner {
 public:
  Planner(const SchemaModel& wanted, const SchemaModel& present, bool prune)
      : wanted_(wanted), present_(present), prune_(prune) {}

  SchemaPlan run() {
    for (const NamedSchema& schema : wanted_.schemas) plan_schema_of(schema);
    for (const FunctionModel& function : wanted_.functions) plan_function(function);
    for (const TableModel& table : wanted_.tables) {
      const TableModel* there = present_.find_table(table.name);
      if (table.query || (there != nullptr && there->query)) {
        plan_materialized(table, there);
      } else if (there == nullptr) {
        create_table(table);
      } else {
        plan_table(table, *there, prune_, plan_);
      }
    }
    for (const ViewModel& view : wanted_.views) plan_view(view);
    plan_grants();
    plan_drops();
    tell();
    std::stable_sort(plan_.steps.begin(), plan_.steps.end(),
                     [](const SchemaStep& a, const SchemaStep& b) { return a.phase < b.phase; });
    return std::move(plan_);
  }

 private:
  SchemaStep& add(SchemaPhase phase, std::string action, std::string object, std::string sql,
                  const SchemaPlace& place = {}) {
    SchemaStep step;
    step.phase = phase;
    step.action = std::move(action);
    step.object = std::move(object);
    step.sql = std::move(sql);
    step.place = place;
    plan_.steps.push_back(std::move(step));
    return plan_.steps.back();
  }

  // What the file does not name goes with --prune, else it is kept and told.
  void drop(SchemaPhase phase, const std::string& action, const std::string& object,
            const std::string& sql) {
    if (prune_) {
      add(phase, action, object, sql);
    } else {
      add(SchemaPhase::kKept, "keep", object, sql);
    }
  }

  void comment(const std::string& kind, const std::string& object,
               const std::optional<std::string>& wanted, const std::optional<std::string>& present,
               const SchemaPlace& place) {
    if (wanted == present) return;
    const std::string sql = comment_text(kind + " " + object, wanted);
    if (wanted) {
      add(SchemaPhase::kWords, "comment on", object, sql, place);
    } else {
      drop(SchemaPhase::kWords, "remove comment on", object, sql);
    }
  }

  void plan_schema_of(const NamedSchema& schema) {
    const NamedSchema* there = present_.find_schema(schema.name);
    const std::string name = sql::quote_identifier(schema.name);
    if (there == nullptr) {
      add(SchemaPhase::kSchemas, "create schema", name, "CREATE SCHEMA " + name, schema.place);
    }
    comment("SCHEMA", name, schema.comment, there == nullptr ? std::nullopt : there->comment,
            schema.place);
  }

  void plan_function(const FunctionModel& function) {
    const FunctionModel* there = present_.find_function(function.id);
    if (there == nullptr || there->text != function.text) {
      add(function.after_views ? SchemaPhase::kLateFunctions : SchemaPhase::kFunctions,
          there == nullptr ? "create function" : "replace function", function.reference,
          function.text, function.place);
    }
    comment("FUNCTION", function.reference, function.comment,
            there == nullptr ? std::nullopt : there->comment, function.place);
  }

  void create_table(const TableModel& table) {
    const std::string name = shown_name(table.name);
    SchemaStep& step =
        add(SchemaPhase::kTables, "create table", name, create_table_text(table), table.place);
    step.work = Work::kCreateTable;
    step.model = &table;
    if (table.retention) {
      SchemaStep& setting = add(SchemaPhase::kColumns, "set retention of", name,
                                retention_text(table.name, *table.retention), table.place);
      setting.work = Work::kSetRetention;
      setting.table = table.name;
      setting.retention = table.retention;
    }
    for (const IndexModel& index : table.indexes) {
      add(SchemaPhase::kConstraints, "create index", index.name.empty() ? name : index.name,
          create_index_text(table.name, index), index.place);
    }
    comment("TABLE", name, table.comment, std::nullopt, table.place);
    for (const ColumnDraft& column : table.draft.columns) {
      comment("COLUMN", shown_column(table.name, column.info.name), column.info.comment,
              std::nullopt, table.place);
    }
  }

  static std::string drop_text(const TableModel& table) {
    return fmt::format("DROP {} {}", table.query ? "MATERIALIZED VIEW" : "TABLE",
                       shown_name(table.name));
  }

  // Its rows are computed when it is made: another query is another view.
  void plan_materialized(const TableModel& view, const TableModel* there) {
    const std::string name = shown_name(view.name);
    if (there != nullptr && there->query == view.query) {
      return plan_table(view, *there, prune_, plan_);
    }
    if (there != nullptr) {
      drop(SchemaPhase::kDropFirst, there->query ? "drop materialized view" : "drop table", name,
           drop_text(*there));
      if (!prune_) {
        plan_.notices.push_back(fmt::format(
            "{} has another query in the file; --prune drops it and makes it anew", name));
        return;
      }
      if (!view.query) return create_table(view);
    }
    SchemaStep& step = add(SchemaPhase::kFills, "create materialized view", name,
                           create_materialized_text(view), view.place);
    step.work = Work::kCreateMaterialized;
    TableModel bare;
    bare.name = view.name;
    const std::size_t before = plan_.steps.size();
    plan_table(view, bare, prune_, plan_);
    for (std::size_t i = before; i < plan_.steps.size(); ++i) {
      SchemaPhase& phase = plan_.steps[i].phase;
      if (phase < SchemaPhase::kFills) phase = SchemaPhase::kAfterFills;
    }
  }

  // True when PostgreSQL's view already says what the file says.
  static bool same_view(const ViewModel& wanted, const ViewModel& present) {
    return wanted.definition == present.definition && wanted.columns == present.columns;
  }

  void plan_view(const ViewModel& view) {
    const ViewModel* there = present_.find_view(view.name);
    const std::string name = shown_name(view.name);
    comment("VIEW", name, view.comment, there == nullptr ? std::nullopt : there->comment,
            view.place);
    if (there == nullptr) {
      add(SchemaPhase::kViews, "create view", name, create_view_text(view, false), view.place);
      return;
    }
    if (same_view(view, *there)) return;
    SchemaStep& step =
        add(SchemaPhase::kViews, "replace view", name, create_view_text(view, true), view.place);
    step.work = Work::kReplaceView;
    step.table = view.name;
    step.may_drop = prune_;
    if (there->comment) step.afterwards.push_back(comment_text("VIEW " + name, there->comment));
    for (const GrantModel& grant : present_.grants) {
      if (grant.on_schema || grant.object != view.name) continue;
      step.afterwards.push_back(grant_text(grant, false));
    }
  }

  static const GrantModel* find_right(const std::vector<GrantModel>& grants,
                                      const GrantModel& wanted) {
    for (const GrantModel& grant : grants) {
      if (grant.same_right(wanted)) return &grant;
    }
    return nullptr;
  }

  static std::string grant_object(const GrantModel& grant) {
    return grant.on_schema ? sql::quote_identifier(grant.object.name) : shown_name(grant.object);
  }

  void plan_grants() {
    for (const GrantModel& grant : wanted_.grants) {
      const GrantModel* there = find_right(present_.grants, grant);
      if (there != nullptr && (there->with_grant_option || !grant.with_grant_option)) continue;
      add(SchemaPhase::kWords, "grant on", grant_object(grant), grant_text(grant, false),
          grant.place);
    }
    for (const GrantModel& grant : present_.grants) {
      if (find_right(wanted_.grants, grant) != nullptr || goes_away(grant)) continue;
      drop(SchemaPhase::kWords, "revoke on", grant_object(grant), grant_text(grant, true));
    }
  }

  // With its object; then nobody need be told of the right.
  bool goes_away(const GrantModel& grant) const {
    if (grant.on_schema) {
      return grant.object.name != "public" && wanted_.find_schema(grant.object.name) == nullptr;
    }
    return wanted_.find_table(grant.object) == nullptr &&
           wanted_.find_view(grant.object) == nullptr;
  }

  void plan_drops() {
    for (auto view = present_.views.rbegin(); view != present_.views.rend(); ++view) {
      if (wanted_.find_view(view->name) != nullptr) continue;
      const std::string name = shown_name(view->name);
      drop(SchemaPhase::kDropFirst, "drop view", name, "DROP VIEW " + name);
    }
    for (auto view = present_.tables.rbegin(); view != present_.tables.rend(); ++view) {
      if (!view->query || wanted_.find_table(view->name) != nullptr) continue;
      drop(SchemaPhase::kDropFirst, "drop materialized view", shown_name(view->name),
           drop_text(*view));
    }
    for (const TableModel& table : present_.tables) {
      if (table.query || wanted_.find_table(table.name) != nullptr) continue;
      const std::string name = shown_name(table.name);
      // A view that takes the table's name needs it gone first.
      const bool first = wanted_.find_view(table.name) != nullptr;
      drop(first ? SchemaPhase::kDropFirst : SchemaPhase::kDropLast, "drop table", name,
           "DROP TABLE " + name);
    }
    for (const FunctionModel& function : present_.functions) {
      if (wanted_.find_function(function.id) != nullptr) continue;
      drop(SchemaPhase::kDropLast, "drop function", function.reference,
           "DROP FUNCTION " + function.reference);
    }
    for (const NamedSchema& schema : present_.schemas) {
      if (wanted_.find_schema(schema.name) != nullptr) continue;
      const std::string name = sql::quote_identifier(schema.name);
      drop(SchemaPhase::kDropLast, "drop schema", name, "DROP SCHEMA " + name);
    }
  }

  // Only tables: plan_table tells of columns.
  void tell() {
    const auto missing = [](const std::vector<TableModel>& those, const SchemaModel& in) {
      return std::any_of(those.begin(), those.end(), [&](const TableModel& table) {
        return in.find_table(table.name) == nullptr;
      });
    };
    if (missing(wanted_.tables, present_) && missing(present_.tables, wanted_)) {
      plan_.notices.emplace_back(
          "a table that was renamed in the file looks like a new one beside one that the file does "
          "not name; to keep its rows and history, first: ALTER TABLE … RENAME TO …");
    }
    const auto kept =
        std::count_if(plan_.steps.begin(), plan_.steps.end(), [](const SchemaStep& step) {
          return step.phase == SchemaPhase::kKept && !step.sql.starts_with("--");
        });
    if (kept > 0) {
      plan_.notices.push_back(
          fmt::format("kept {} the file does not have; --prune does what stands beside \"keep\"",
                      kept == 1 ? "one thing that" : fmt::format("{} things that", kept)));
    }
  }

  const SchemaModel& wanted_;
  const SchemaModel& present_;
  const bool prune_;
  SchemaPlan plan_;
};

}  // namespace

bool SchemaPlan::has_fills() const {
  return std::any_of(steps.begin(), steps.end(),
                     [](const SchemaStep& step) { return step.is_fill(); });
}

bool SchemaPlan::changes() const {
  return std::any_of(steps.begin(), steps.end(),
                     [](const SchemaStep& step) { return step.phase != SchemaPhase::kKept; });
}

SchemaPlan plan_schema(const SchemaModel& wanted, const SchemaModel& present, bool prune) {
  return Planner(wanted, present, prune).run();
}

}  // namespace coppice::engine
