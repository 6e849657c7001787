// Staged writes: statements whose rows need function workers, media or a decision per row.
//
// Model    Rows and results are kept in a staging table of the operation
//          (coppice_store.s<tree>_<op>), in short transactions: the statement's source rows first,
//          then batch by batch what is computed for them. publish moves them into the store in one
//          transaction. No user code, download or decoding runs inside a transaction of ours.
// Faults   A process that dies leaves the staging table and an operation that jobs list as
//          interrupted; resume_staged goes on where it stopped.
// Errors   kComputation, kConstraint (keys are checked before anything is computed), kInvalidInput
//          (media), kConflict after three rounds.
#pragma once

#include "engine/copy.h"
#include "engine/direct_write.h"
#include "engine/engine.h"
#include "sql/parse.h"

namespace coppice::engine {

bool insert_needs_staging(EngineContext& context, const catalog::TableInfo& table,
                          sql::Statement& statement);
bool update_needs_staging(EngineContext& context, const catalog::TableInfo& table,
                          sql::Statement& statement);

// `resumes`: the operation that it was, when a budget was spent while its rows were read.
void run_staged_insert(EngineContext& context, const catalog::TableInfo& table,
                       sql::Statement& statement, const SqlParameters& parameters, ResultSink& sink,
                       std::string_view tag = "INSERT 0",
                       const std::optional<catalog::Operation>& resumes = {});
void run_staged_update(EngineContext& context, const catalog::TableInfo& table,
                       sql::Statement& statement, const SqlParameters& parameters, ResultSink& sink,
                       const std::optional<catalog::Operation>& resumes = {});
void run_staged_delete(EngineContext& context, const catalog::TableInfo& table,
                       sql::Statement& statement, const SqlParameters& parameters,
                       ResultSink& sink);
// `restart`: its sequences begin anew.
void run_staged_truncate(EngineContext& context, const catalog::TableInfo& table,
                         std::string_view statement, bool restart, ResultSink& sink);
void run_staged_copy(EngineContext& context, const catalog::TableInfo& table,
                     const CopyRequest& request, std::string_view statement, ResultSink& sink);

// Goes on with an INSERT or UPDATE that has kept nothing of its rows, from its statement. False: it
// is another kind, or its text was not kept as a whole.
bool resume_from_statement(EngineContext& context, std::int64_t tree_id, std::int64_t op_id,
                           ResultSink& sink);
// Goes on with an interrupted operation; its staging table must exist.
void resume_staged(EngineContext& context, std::int64_t tree_id, std::int64_t op_id,
                   ResultSink& sink);

}  // namespace coppice::engine
