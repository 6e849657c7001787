// Classify: what a statement is to Coppice, or why it is refused.
//
// Model    Every statement of PostgreSQL's grammar is either of a supported kind or refused by its
//          name with the road to take instead. Refused parts inside of supported statements
//          (REFERENCES, FOR UPDATE, WITH … DELETE) are found wherever they stand; the first one
//          counts. What no rule knows is refused.
// Errors   require_supported throws kUnsupported with line, column and excerpt.
#pragma once

#include <cstdint>
#include <string>

#include "sql/parse.h"

namespace coppice::sql {

enum class StatementKind {
  kSelect,  // TABLE t too
  kValues,
  kInsert,
  kUpdate,
  kDelete,
  kTruncate,
  kCopyFrom,
  kCopyTo,
  kCreateTable,
  kCreateTableAs,
  kCreateSchema,
  kDropSchema,
  kCreateView,
  kCreateMaterializedView,
  kAlterTable,  // of tables and materialized views
  kRename,      // tables, views, their columns and constraints, indexes
  kDropTable,
  kDropView,
  kDropMaterializedView,
  kCreateIndex,
  kDropIndex,
  kCreateFunction,
  kDropFunction,
  kGrant,  // and REVOKE
  kComment,
  kExplain,
  kShow,
  kSet,  // and RESET
  kRefused,
};

struct Classification {
  StatementKind kind = StatementKind::kRefused;
  // Of a refusal:
  std::string what;            // "FOR UPDATE is not supported"
  std::string hint;            // the road to take
  std::int32_t location = -1;  // in the statement's text, -1 for the statement as a whole
};

Classification classify(Node* statement);
Classification classify(Statement& statement);

// The kind, or the refusal as an Error.
StatementKind require_supported(Statement& statement);

// True for statements that change data or schema.
bool is_write(StatementKind kind);
// "INSERT", "CREATE MATERIALIZED VIEW": the command's name as PostgreSQL tags it.
std::string_view kind_name(StatementKind kind);

}  // namespace coppice::sql
