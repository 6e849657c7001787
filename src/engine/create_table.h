// CREATE TABLE and DROP TABLE, CREATE and DROP SCHEMA: each one transaction, catalog and store
// together.
#pragma once

#include "engine/context.h"
#include "engine/table_draft.h"
#include "sql/parse.h"

namespace coppice::engine {

// Returns false when IF NOT EXISTS found the table.
bool create_table(EngineContext& context, sql::Statement& statement, ResultSink& sink);
// The same from a draft; `statement` is what the history keeps.
catalog::TablePointer create_table_from(EngineContext& context, const sql::QualifiedName& name,
                                        const TableDraft& draft, const sql::SourceText& source,
                                        std::string_view statement);
void drop_tables(EngineContext& context, sql::Statement& statement, ResultSink& sink);
void create_schema(EngineContext& context, sql::Statement& statement, ResultSink& sink);
void drop_schemas(EngineContext& context, sql::Statement& statement, ResultSink& sink);

// Makes the user's view, its guard and the reader's right to it; in a transaction.
void create_user_view(EngineContext& context, const catalog::TableInfo& table);

}  // namespace coppice::engine
