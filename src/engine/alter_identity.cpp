#include "engine/alter_identity.h"

#include <fmt/core.h>

#include "catalog/store_ddl.h"
#include "engine/column_definition.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using sql::as;

void require_identity(const Altering& altering, const SchemaChange& change,
                      const ColumnInfo& column) {
  if (column.identity) return;
  altering.refuse(ErrorCode::kRefused, column.name,
                  fmt::format("column \"{}\" of relation \"{}\" is not an identity column",
                              column.name, change.table.name.name));
}

}  // namespace

void add_identity(const Altering& altering, SchemaChange& change, ColumnInfo& column,
                  const PgQuery__AlterTableCmd& command) {
  const auto refuse = [&](const std::string& what) {
    altering.refuse(ErrorCode::kRefused, column.name,
                    fmt::format("column \"{}\" of relation \"{}\" {}", column.name,
                                change.table.name.name, what));
  };
  if (column.identity) refuse("is already an identity column");
  if (column.computed()) refuse("is a computed column");
  if (column.default_sql || column.sequence) refuse("already has a default value");
  if (!column.not_null) refuse("must be declared NOT NULL before identity can be added");
  const auto& constraint = *as<PgQuery__Constraint>(command.def);
  ColumnDraft draft;
  draft.info = column;
  read_identity(draft, constraint, altering.statement.source());
  column.identity = draft.info.identity;
  pg::Connection& connection = altering.context.main;
  make_sequence(altering.context, change.table, column, draft.sequence_options);
  use_sequence(altering.context, change.table, column);
  connection.exec(fmt::format(
      "SELECT setval('{0}', greatest(max({1})::bigint, 0)) FROM {2} WHERE _to = {3} "
      "HAVING max({1}) >= (SELECT last_value FROM {0})",
      *column.sequence, column.physical, change.table.store_table(), catalog::kCurrentText));
  describe_anew(altering.context, change, column);
}

void set_identity(const Altering& altering, SchemaChange& change, ColumnInfo& column,
                  const PgQuery__AlterTableCmd& command) {
  require_identity(altering, change, column);
  const auto* list = as<PgQuery__List>(command.def);
  std::string options;
  for (const sql::Option& option : sql::options_in(list->n_items, list->items)) {
    if (option.name == "generated") {
      // The parser keeps the letter as its number: 'a'lways or by 'd'efault.
      column.identity = option.value == std::to_string(int{'a'}) ? "always" : "by default";
    } else {
      options += sequence_option(option, altering.statement.source());
    }
  }
  if (!options.empty()) {
    altering.context.main.exec(fmt::format("ALTER SEQUENCE {}{}", *column.sequence, options));
  }
  describe_anew(altering.context, change, column);
}

void drop_identity(const Altering& altering, SchemaChange& change, ColumnInfo& column) {
  require_identity(altering, change, column);
  altering.context.main.exec(fmt::format("ALTER TABLE {} ALTER {} DROP DEFAULT",
                                         change.table.store_table(), column.physical));
  altering.context.main.exec("DROP SEQUENCE " + *column.sequence);
  column.identity.reset();
  column.sequence.reset();
  describe_anew(altering.context, change, column);
}

}  // namespace coppice::engine
