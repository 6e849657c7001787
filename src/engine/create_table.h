// CREATE TABLE and DROP TABLE, CREATE and DROP SCHEMA: each one transaction, catalog and store
// together.
#pragma once

#include <set>
#include <string>

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

// Refuses schemas that there are not, and ours.
void check_schema(EngineContext& context, const std::string& schema);
// The plain views that read the table or a version of it: all go, or they are a reason not to.
void drop_views_over(EngineContext& context, const catalog::TableInfo& table, bool cascade,
                     std::set<std::string>& dropped);
// What there is of a table beside its tree; in a transaction.
void drop_relations(EngineContext& context, const catalog::TableInfo& table);

// Makes the user's view, its guard and the reader's right to it; in a transaction.
void create_user_view(EngineContext& context, const catalog::TableInfo& table);

}  // namespace coppice::engine
