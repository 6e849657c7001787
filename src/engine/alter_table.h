// ALTER TABLE and RENAME.
//
// Model    What only changes the description is one operation; each column that must be filled
//          (computed, of another type, with a default that differs by row) is one of its own.
#pragma once

#include "engine/context.h"
#include "sql/parse.h"

namespace coppice::engine {

void alter_table(EngineContext& context, sql::Statement& statement, ResultSink& sink);

// ALTER COLUMN … with a new expression: `coppice alter-column` and `apply`.
std::int64_t change_expression(EngineContext& context, const sql::QualifiedName& table,
                               const std::string& column, const std::string& expression,
                               std::string_view statement, ResultSink& sink);

// `coppice alter-column TABLE.COLUMN 'EXPRESSION'`.
void alter_column(EngineContext& context, const std::string& column, const std::string& expression,
                  ResultSink& sink);

}  // namespace coppice::engine
