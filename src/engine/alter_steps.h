// The steps of an ALTER TABLE that give no row another value: they change what is said about a
// table, and all such steps of a statement are one operation.
//
// Errors   In the user's names, at the name in the statement that they are about.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/context.h"
#include "engine/schema_change.h"
#include "engine/table_draft.h"
#include "sql/parse.h"

namespace coppice::engine {

// One ALTER TABLE statement while it is carried out.
struct Altering {
  EngineContext& context;
  sql::Statement& statement;
  const sql::QualifiedName& table;
  ResultSink& sink;

  // Where the statement names a column or constraint; -1 when it does not.
  std::ptrdiff_t place_of(std::string_view name) const;
  [[noreturn]] void refuse(ErrorCode code, std::string_view about, const std::string& what,
                           std::string hint = {}) const;
};

// IF EXISTS and IF NOT EXISTS of what is so already: says that, and there is nothing to do.
bool is_settled(const Altering& altering, const catalog::TableInfo& table,
                const PgQuery__AlterTableCmd& command);
// "add column", "alter column", …: for the history.
std::string_view step_kind(const PgQuery__AlterTableCmd& command);
void run_step(const Altering& altering, SchemaChange& change,
              const PgQuery__AlterTableCmd& command);

// A constraint written at a column or beside the columns. A primary key forbids NULL.
void add_drafted_constraint(const Altering& altering, SchemaChange& change,
                            const ConstraintDraft& constraint);
// Ends the present description of a column and begins the one in `column`.
void describe_anew(EngineContext& context, const SchemaChange& change,
                   const catalog::ColumnInfo& column);

}  // namespace coppice::engine
