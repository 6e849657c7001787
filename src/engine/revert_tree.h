// Revert of a table with materialized views: the whole tree goes back to the version.
//
// Model    The rows of the table and of each view that was there then are staged as what differs
//          (engine/revert_plan.h): stored cells are copied. Views that were made since follow by
//          computing. When another operation was published meanwhile, all is looked at again.
// Faults   A killed revert has changed nothing; it is run again, not resumed.
// Errors   As run_revert().
#pragma once

#include "engine/context.h"

namespace coppice::engine {

void revert_tree(EngineContext& context, const catalog::TablePointer& table,
                 const catalog::VersionInfo& target, ResultSink& sink);

}  // namespace coppice::engine
