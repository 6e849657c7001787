// `coppice insert`: rows from csv, jsonl or a folder, as one operation.
#pragma once

#include "engine/context.h"
#include "engine/engine.h"

namespace coppice::engine {

void bulk_insert(EngineContext& context, const std::string& table, const InsertOptions& options,
                 ResultSink& sink);
// A table (with ":version") or a query, as rows.
void export_rows(EngineContext& context, const std::string& table_or_query, ResultSink& sink);

}  // namespace coppice::engine
