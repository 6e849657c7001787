// RETURNING of a statement that is staged: evaluated over the staged rows when they are published.
//
// Model    A staged row has the user's columns. What RETURNING takes from a table of FROM or USING
//          is kept beside them, in columns _along0, _along1, … of the stage.
// Errors   kUnsupported for an engine function: nothing may be computed while rows are published.
#pragma once

#include <string>
#include <vector>

#include "engine/write_scope.h"

namespace coppice::engine {

struct StagedReturning {
  std::string list;                // a select list over the staged rows; empty: nothing is returned
  std::vector<std::string> along;  // expressions over the tables beside the target …
  std::vector<std::string> types;  // … and their types
};

// The tables beside the target, as the statement has them.
struct BesideTarget {
  PgQuery__WithClause* with = nullptr;
  std::size_t count = 0;
  sql::Node** items = nullptr;
};

StagedReturning read_returning(EngineContext& context, sql::Statement& statement, WriteScope& scope,
                               const std::string& alias, const BesideTarget& beside,
                               std::size_t& count, sql::Node**& items);

}  // namespace coppice::engine
