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

// One computed column in the body of the trigger.
std::string computation(const TableInfo& table, const ColumnInfo& column) {
  const std::string assignment = fmt::format("NEW.{} := {};", column.physical,
                                             in_store_names(table, *column.expression, "new"));
  std::string body;
  if (column.on_error == OnError::kIgnore) {
    body = fmt::format(
        "    BEGIN {}\n    EXCEPTION WHEN OTHERS THEN\n      NEW.{} := NULL;\n"
        "      PERFORM coppice.note_cell_error({}, {}, NEW._row, NEW._from, SQLSTATE, SQLERRM);\n"
        "    END;\n",
        assignment, column.physical, table.table_id, column.id);
  } else {
    // The guarded form costs a subtransaction a row: it runs only when a failed statement is
    // repeated to learn which row it was.
    body = fmt::format(
        "    IF current_setting('coppice.trace', true) = 'on' THEN\n      BEGIN {0}\n"
        "      EXCEPTION WHEN OTHERS THEN\n"
        "        RAISE EXCEPTION '%', SQLERRM USING ERRCODE = 'CP003', COLUMN = {1},\n"
        "          DETAIL = to_jsonb(NEW)::text;\n      END;\n"
        "    ELSE\n      {0}\n    END IF;\n",
        assignment, quote_literal(column.physical));
  }
  return fmt::format(
      "  IF wanted IS NULL OR wanted = '' OR wanted LIKE '%,{},%' THEN\n{}  END IF;\n",
      column.physical, body);
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

std::vector<std::string> compute_trigger(const TableInfo& table) {
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
  const std::string function = table.store_table() + "_compute()";
  if (computed.empty() && hidden.empty()) {
    return {fmt::format("DROP TRIGGER IF EXISTS compute ON {}", table.store_table()),
            fmt::format("DROP FUNCTION IF EXISTS {}", function)};
  }
  std::string body = "DECLARE\n  wanted text := current_setting('coppice.compute', true);\nBEGIN\n";
  for (const ColumnInfo* column : in_dependency_order(table, computed)) {
    body += computation(table, *column);
  }
  for (const ColumnInfo* column : in_dependency_order(future, hidden)) {
    // A base column that changes its type is read as it is now.
    const ColumnInfo* present = table.find_column(column->name);
    const bool retyped = present != nullptr && !present->computed();
    body += computation(retyped ? table : future, *column);
  }
  body += "  RETURN NEW;\nEND";
  return {fmt::format("CREATE OR REPLACE FUNCTION {} RETURNS trigger LANGUAGE plpgsql AS {}",
                      function, quote_literal(body)),
          fmt::format("DROP TRIGGER IF EXISTS compute ON {}", table.store_table()),
          fmt::format("CREATE TRIGGER compute BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION {}",
                      table.store_table(), function)};
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
