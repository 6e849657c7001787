#include "catalog/store_ddl.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "catalog/expressions.h"

namespace coppice::catalog {
namespace {

using sql::quote_identifier;
using sql::quote_literal;

std::string select_list(const std::vector<const ColumnInfo*>& columns) {
  std::vector<std::string> items;
  for (const ColumnInfo* column : columns) {
    items.push_back(column->physical + " AS " + quote_identifier(column->name));
  }
  return join(items, ", ");
}

std::string physical_list(const TableInfo& table, const std::vector<std::int64_t>& ids) {
  std::vector<std::string> names;
  for (const std::int64_t id : ids) {
    const ColumnInfo* column = table.column_by_id(id);
    COPPICE_ASSERT(column != nullptr);
    names.push_back(column->physical);
  }
  return join(names, ", ");
}

std::string ignoring_failure(const TableInfo& table, const ColumnInfo& column,
                             const std::string& assignment) {
  return fmt::format(
      "    BEGIN {}\n    EXCEPTION WHEN OTHERS THEN\n      NEW.{} := NULL;\n"
      "      PERFORM coppice.note_cell_error({}, {}, NEW._row, NEW._from, SQLSTATE, SQLERRM);\n"
      "    END;\n",
      assignment, column.physical, table.table_id, column.id);
}

// One computed column in the body of the trigger.
std::string computation(const TableInfo& table, const ColumnInfo& column) {
  const std::string assignment = fmt::format("NEW.{} := {};", column.physical,
                                             in_store_names(table, *column.expression, "new"));
  if (column.on_error == OnError::kIgnore) return ignoring_failure(table, column, assignment);
  return fmt::format("    {}\n", assignment);
}

// The same when not all columns are wanted. What fails is told with its row and column when the
// trace is on: that costs a subtransaction a row.
std::string chosen_computation(const TableInfo& table, const ColumnInfo& column) {
  std::string body = computation(table, column);
  if (column.on_error != OnError::kIgnore) {
    body = fmt::format(
        "    IF current_setting('coppice.trace', true) = 'on' THEN\n      BEGIN\n{0}"
        "      EXCEPTION WHEN OTHERS THEN\n"
        "        RAISE EXCEPTION '%', SQLERRM USING ERRCODE = 'CP003', COLUMN = {1},\n"
        "          DETAIL = to_jsonb(NEW)::text;\n      END;\n"
        "    ELSE\n{0}    END IF;\n",
        body, quote_literal(column.physical));
  }
  return fmt::format(
      "  IF wanted IS NULL OR wanted = '' OR wanted LIKE '%,{},%' THEN\n{}  END IF;\n",
      column.physical, body);
}

// Whether the table has the trigger.
bool computes_by_sql(const TableInfo& table) {
  return std::any_of(table.columns.begin(), table.columns.end(), [](const ColumnInfo& column) {
    return column.computed() && !column.uses_engine;
  });
}

std::string compute_function_name(const TableInfo& table) {
  return table.store_table() + "_compute()";
}

// Computed columns in an order in which each comes after those it reads.
std::vector<const ColumnInfo*> in_dependency_order(const TableInfo& table,
                                                   std::vector<const ColumnInfo*> waiting) {
  std::vector<const ColumnInfo*> ordered;
  while (!waiting.empty()) {
    const std::size_t before = waiting.size();
    for (auto it = waiting.begin(); it != waiting.end();) {
      const std::set<std::string> reads = columns_read(table, *(*it)->expression);
      bool ready = true;
      for (const ColumnInfo* other : waiting) {
        if (other != *it && reads.contains(other->name)) ready = false;
      }
      if (ready) ordered.push_back(*it);
      it = ready ? waiting.erase(it) : it + 1;
    }
    COPPICE_ASSERT(waiting.size() < before);  // cycles are refused when a column is defined
  }
  return ordered;
}

}  // namespace

std::vector<std::string> create_store(const TableInfo& table) {
  const std::string sequence = table.store_table() + "_row_seq";
  std::vector<std::string> statements = {
      fmt::format("CREATE SEQUENCE {} CACHE 64", sequence),
      fmt::format("CREATE TABLE {0} (\n"
                  "  _row bigint NOT NULL DEFAULT nextval('{1}'),\n"
                  "  _from bigint NOT NULL DEFAULT current_setting('coppice.op')::bigint,\n"
                  "  _to bigint NOT NULL DEFAULT {2}{3})",
                  table.store_table(), sequence, kCurrentText,
                  table.view ? ",\n  _parent bigint NOT NULL" : ""),
      fmt::format("ALTER SEQUENCE {} OWNED BY {}._row", sequence, table.store_table()),
      fmt::format("CREATE INDEX {0}_from ON {1} (_from, _row)", table.store, table.store_table()),
      fmt::format("CREATE INDEX {0}_to ON {1} (_to) WHERE _to <> {2}", table.store,
                  table.store_table(), kCurrentText),
  };
  if (table.view) {
    statements.push_back(fmt::format("CREATE INDEX {}_parent ON {} (_parent) WHERE _to = {}",
                                     table.store, table.store_table(), kCurrentText));
  }
  return statements;
}

std::string add_physical_column(const TableInfo& table, const ColumnInfo& column) {
  std::string sql = fmt::format("ALTER TABLE {} ADD COLUMN {} {}", table.store_table(),
                                column.physical, store_type(column.type));
  if (column.default_sql) sql += " DEFAULT " + *column.default_sql;
  return sql;
}

std::string add_not_null(const TableInfo& table, const ColumnInfo& column) {
  return fmt::format(
      "ALTER TABLE {} ADD CONSTRAINT {}_{}_not_null CHECK (_to <> {} OR {} IS NOT NULL)",
      table.store_table(), table.store, column.physical, kCurrentText, column.physical);
}

std::string drop_not_null(const TableInfo& table, const ColumnInfo& column) {
  return fmt::format("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}_{}_not_null", table.store_table(),
                     table.store, column.physical);
}

std::string add_constraint(const TableInfo& table, const ConstraintInfo& constraint) {
  if (constraint.kind == ConstraintKind::kCheck) {
    return fmt::format("ALTER TABLE {} ADD CONSTRAINT {} CHECK (_to <> {} OR ({}))",
                       table.store_table(), constraint.store_name, kCurrentText,
                       in_store_names(table, *constraint.expression));
  }
  return fmt::format("CREATE UNIQUE INDEX {} ON {} ({}){} WHERE _to = {}", constraint.store_name,
                     table.store_table(), physical_list(table, constraint.columns),
                     constraint.nulls_distinct ? "" : " NULLS NOT DISTINCT", kCurrentText);
}

std::string drop_constraint(const TableInfo& table, const ConstraintInfo& constraint) {
  if (constraint.kind == ConstraintKind::kCheck) {
    return fmt::format("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}", table.store_table(),
                       constraint.store_name);
  }
  return fmt::format("DROP INDEX IF EXISTS coppice_store.{}", constraint.store_name);
}

std::string working_view(const TableInfo& table) {
  std::string columns = select_list(table.visible_columns());
  if (!columns.empty()) columns += ", ";
  return fmt::format(
      "CREATE OR REPLACE VIEW {} AS SELECT {}_row, _from, _to{} FROM {} WHERE _to = {}",
      table.working_view(), columns, table.view ? ", _parent" : "", table.store_table(),
      kCurrentText);
}

std::string user_view(const TableInfo& table, bool replace) {
  return fmt::format("CREATE {}VIEW {} AS SELECT {} FROM {} WHERE _to = {}",
                     replace ? "OR REPLACE " : "", table.user_name(),
                     select_list(table.visible_columns()), table.store_table(), kCurrentText);
}

std::string user_view_guard(const TableInfo& table) {
  return fmt::format(
      "CREATE TRIGGER coppice_refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON {} "
      "FOR EACH ROW EXECUTE FUNCTION coppice.refuse_write()",
      table.user_name());
}

std::int64_t marked_to(const TableInfo& table, RowMark mark) {
  return computes_by_sql(table) ? static_cast<std::int64_t>(mark) : kCurrent;
}

std::optional<std::string> compute_function(const TableInfo& table, ComputeForm form) {
  if (!computes_by_sql(table)) return std::nullopt;
  // Hidden columns are computed from each other, the ones they replace from theirs.
  const TableInfo future = with_fills(table);
  std::vector<const ColumnInfo*> computed, hidden;
  for (const ColumnInfo& column : table.columns) {
    if (column.computed() && !column.uses_engine && !column.filling) computed.push_back(&column);
  }
  for (const ColumnInfo& column : future.columns) {
    const bool live = std::any_of(computed.begin(), computed.end(), [&](const ColumnInfo* other) {
      return other->physical == column.physical;
    });
    if (column.computed() && !column.uses_engine && !live) hidden.push_back(&column);
  }
  std::string all, chosen;
  const auto add = [&](const TableInfo& names, const ColumnInfo& column) {
    all += computation(names, column);
    chosen += chosen_computation(names, column);
  };
  for (const ColumnInfo* column : in_dependency_order(table, computed)) add(table, *column);
  for (const ColumnInfo* column : in_dependency_order(future, hidden)) {
    // A base column that changes its type is read as it is now.
    const ColumnInfo* present = table.find_column(column->name);
    const bool retyped = present != nullptr && !present->computed();
    add(retyped ? table : future, *column);
  }
  // A new row takes the short way: it asks for no setting.
  const std::string new_row =
      form == ComputeForm::kTraced
          ? std::string()
          : fmt::format("  IF NEW._to > 0 THEN\n{}    RETURN NEW;\n  END IF;\n", all);
  const std::string body = fmt::format(
      "DECLARE\n  wanted text;\nBEGIN\n{0}"
      "  IF NEW._to = {1} THEN\n    NEW._to := {3};\n    RETURN NEW;\n  END IF;\n"
      "  IF NEW._to = {2} THEN\n    NEW._to := {3};\n"
      "    wanted := current_setting('coppice.compute', true);\n  END IF;\n"
      "{4}  RETURN NEW;\nEND",
      new_row, static_cast<std::int64_t>(RowMark::kGiven),
      static_cast<std::int64_t>(RowMark::kCopied), kCurrentText, chosen);
  return fmt::format("CREATE OR REPLACE FUNCTION {} RETURNS trigger LANGUAGE plpgsql AS {}",
                     compute_function_name(table), quote_literal(body));
}

std::vector<std::string> compute_trigger(const TableInfo& table) {
  const std::string name = compute_function_name(table);
  const auto function = compute_function(table);
  const std::string drop = fmt::format("DROP TRIGGER IF EXISTS compute ON {}", table.store_table());
  if (!function) return {drop, fmt::format("DROP FUNCTION IF EXISTS {}", name)};
  return {*function, drop,
          fmt::format("CREATE TRIGGER compute BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION {}",
                      table.store_table(), name)};
}

std::string as_of_view_name(const TableInfo& table, std::int64_t version) {
  return fmt::format("coppice_asof.{}_v{}", table.store, version);
}

std::string as_of_view(const TableInfo& table, const VersionInfo& version,
                       const std::vector<ColumnInfo>& columns) {
  std::vector<const ColumnInfo*> pointers;
  for (const ColumnInfo& column : columns) pointers.push_back(&column);
  return fmt::format("CREATE VIEW {} AS SELECT {} FROM {} WHERE {}",
                     as_of_view_name(table, version.version), select_list(pointers),
                     table.store_table(), visible_at(version));
}

}  // namespace coppice::catalog
