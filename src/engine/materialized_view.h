// CREATE and DROP MATERIALIZED VIEW.
//
// Model    A materialized view is a table of its parent's tree. CREATE computes the rows that are
//          there without holding anybody up: into a store that nobody knows yet, from the parent's
//          current rows, then from those that others changed meanwhile, until none are left; then
//          the view is published. From then on every operation on the parent makes the view's rows
//          too (engine/view_stages.h).
// Faults   A killed CREATE leaves its store and stage; jobs resume goes on with it, jobs discard
//          removes them.
// Errors   Those of ViewQuery; kConflict when the parent was altered meanwhile in what the view
//          reads, or changes faster than the view can be computed.
#pragma once

#include "engine/context.h"
#include "engine/engine.h"
#include "sql/parse.h"

namespace coppice::engine {

void create_materialized_view(EngineContext& context, sql::Statement& statement,
                              const SqlParameters& parameters, ResultSink& sink);
void drop_materialized_views(EngineContext& context, sql::Statement& statement, ResultSink& sink);

// Goes on with an interrupted CREATE; gives one up.
void resume_materialized_view(EngineContext& context, std::int64_t tree_id, std::int64_t op_id,
                              ResultSink& sink);
void discard_materialized_view(EngineContext& context, std::int64_t tree_id, std::int64_t op_id);

// Makes the view without its rows, in a transaction that is never committed.
void pretend_to_create_view(EngineContext& context, sql::Statement& statement);

// A view as it would be, with a store of this name that nobody else knows.
struct ViewQuery;
catalog::TablePointer make_scratch_view(EngineContext& context, const ViewQuery& query,
                                        const std::string& store);

// Removes a view with its history, in a transaction that alters its tree.
void remove_materialized_view(EngineContext& context, const catalog::TableInfo& view);

}  // namespace coppice::engine
