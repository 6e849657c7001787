// Revert: publishes a new version whose rows equal those of an older one.
//
// Model    See revert_plan.h for what is written. Nothing is computed but what old rows do not
// hold:
//          by the store's trigger, or, for engine functions, in a stage before the transaction.
//          All rows are closed and written in one transaction. At its end the tree is locked: if
//          another operation was published since, the rows are looked at again, so that the new
//          version equals the old one whatever others did meanwhile. A revert that is killed has
//          changed nothing; it is not resumed but run again.
// Errors   kNotFound for a version that does not exist or was pruned (says the earliest),
//          kConstraint when old rows do not fit a constraint made since, kComputation, kConflict
//          when others publish faster than missing cells can be computed.
#pragma once

#include <string>

#include "engine/context.h"

namespace coppice::engine {

// `to` as Catalog::version_at() reads it. A dry run says (change, count) and takes no version.
void run_revert(EngineContext& context, const std::string& table, const std::string& to,
                bool dry_run, ResultSink& sink);

}  // namespace coppice::engine
