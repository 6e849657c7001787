// apply: makes the schema of a home what a file says.
//
// Model    The file and the catalog are read into models and compared (schema_plan.h); the plan is
//          given as rows (action, object, sql) and carried out:
//          1. Everything that only changes the catalog, up to the first fill, is one transaction.
//          2. Each fill (a computed column for rows that are there, a changed expression or type)
//          is
//             an operation of its own, as if its statement had been typed; if it is interrupted,
//             `jobs resume` or the next apply takes it up.
//          3. What needs the filled columns, views, comments, rights and drops are one transaction.
//          A plan with fills is rehearsed first: all its steps in one transaction that is rolled
//          back, the fills without their rows. So a mistake in the file is found before anything is
//          done; what may still fail are rows: a cell that cannot be computed, a constraint that
//          they violate. After a change of type the rehearsal ends, for it cannot be pretended.
//          Tables that are altered are locked until the end of the transaction: readers and writers
//          wait for seconds when an index or CHECK over many rows is part of it.
// Errors   With line and column of the file. kPartlyDone when a step failed after others were done:
//          the message says how many; doing it again goes on from there.
#pragma once

#include <string_view>

#include "engine/context.h"
#include "engine/result_sink.h"

namespace coppice::engine {

// With `dry_run` the plan is rehearsed and shown only.
void apply_schema(EngineContext& context, std::string_view schema_sql, bool prune, bool dry_run,
                  ResultSink& sink);

// What apply would do, not rehearsed.
void show_schema_diff(EngineContext& context, std::string_view schema_sql, bool prune,
                      ResultSink& sink);

}  // namespace coppice::engine
