// ViewQuery: the query of a materialized view, taken apart.
//
// Model    SELECT columns and expressions FROM one table or materialized view, at most one LATERAL
//          iterator, WHERE. Each row of the view is made from one row of its parent alone; that is
//          what lets a change of the parent change only those rows of the view. So joins, groups,
//          aggregates, DISTINCT, ORDER BY, LIMIT and set operations are refused: they stay plain
//          views. Names are qualified by the aliases, stars are written out.
// Errors   With line and column: kUnsupported for what a query may not hold, kRefused for what it
//          may not read, and those of the binder and of PostgreSQL, which checks names and types.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/context.h"
#include "engine/engine.h"
#include "engine/table_draft.h"
#include "exec/scope.h"
#include "sql/parse.h"

namespace coppice::engine {

struct ViewQuery {
  sql::QualifiedName name;
  std::string statement;  // with the values of its parameters
  catalog::TablePointer parent;
  catalog::MaterializedInfo view;  // but for its first version
  // Names, types, `derived` and uses_engine; ids are given later.
  std::vector<ColumnDraft> columns;
};

// Of CREATE MATERIALIZED VIEW. Changes the statement.
ViewQuery read_view_query(EngineContext& context, sql::Statement& statement,
                          const SqlParameters& parameters);

// What the names in a view's expressions can mean: the parent's row and the iterator's.
exec::Scope view_scope(EngineContext& context, const catalog::TableInfo& parent,
                       const catalog::MaterializedInfo& view);

// The iterator that a view's query calls.
const Signature& iterator_of(EngineContext& context, const catalog::TableInfo& parent,
                             const catalog::MaterializedInfo& view);

// The query in today's names, from its parts: after a rename.
std::string view_query_text(const catalog::TableInfo& view, const catalog::TableInfo& parent);

}  // namespace coppice::engine
