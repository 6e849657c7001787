// TableDraft: columns and constraints as a CREATE TABLE or ALTER TABLE statement says them.
//
// Model    Reads the parser's nodes into the catalog's model, refusing what a column may not be;
//          it asks no database. Ids and physical names are given later.
// Errors   With line and column of the statement.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/model.h"
#include "sql/read.h"
#include "sql/source_text.h"
#include "sql/tree.h"

namespace coppice::engine {

struct ColumnDraft {
  catalog::ColumnInfo info;
  bool serial = false;           // serial, bigserial, smallserial
  std::string sequence_options;  // of an identity: " start 10 increment 5"
  std::ptrdiff_t location = -1;  // of the definition
};

struct ConstraintDraft {
  catalog::ConstraintKind kind = catalog::ConstraintKind::kCheck;
  std::string name;  // empty: to be chosen as PostgreSQL would
  std::vector<std::string> columns;
  std::optional<std::string> expression;
  bool nulls_distinct = true;  // of UNIQUE
  std::ptrdiff_t location = -1;
};

struct TableDraft {
  std::vector<ColumnDraft> columns;
  std::vector<ConstraintDraft> constraints;
};

// Adds one column definition, with the constraints written at it.
void read_column(const PgQuery__ColumnDef& definition, const sql::SourceText& source,
                 TableDraft& draft);
void read_table_constraint(const PgQuery__Constraint& constraint, const sql::SourceText& source,
                           TableDraft& draft);
TableDraft read_create_table(const PgQuery__CreateStmt& statement, const sql::SourceText& source);

// _row, _from and _to are the store's.
void refuse_reserved_name(const std::string& column, const sql::SourceText& source,
                          std::ptrdiff_t location);

// GENERATED … AS IDENTITY (…): its kind, and the options of its sequence.
void read_identity(ColumnDraft& column, const PgQuery__Constraint& constraint,
                   const sql::SourceText& source);
// " increment 5", " restart": one option of an identity's sequence, as DDL says it.
std::string sequence_option(const sql::Option& option, const sql::SourceText& source);

// Sets column options, as OPTIONS (…) or SET (…) give them: on_error, backup, references.
void apply_column_option(catalog::ColumnInfo& column, const sql::Option& option,
                         const sql::SourceText& source);

// "film_pkey", "film_title_key", "film_title_check": as PostgreSQL names them, at most 63 bytes,
// not among `taken`.
std::string constraint_name(const std::string& table, const ConstraintDraft& draft,
                            const std::vector<std::string>& taken);

// "table_columns_label", cut as PostgreSQL cuts it, with a number when it is among `taken`.
std::string object_name(const std::string& table, const std::string& columns,
                        const std::string& label, const std::vector<std::string>& taken);

}  // namespace coppice::engine
