// ls and describe: what there is, and what one table or view is made of.
#pragma once

#include <optional>
#include <string>

#include "engine/context.h"
#include "engine/result_sink.h"

namespace coppice::engine {

// Rows (schema, name, kind, columns, rows, version, size, comment) of tables and views; kNotFound
// for a schema that does not exist. Rows of tables over 64 MiB are an estimate, and say so.
void list_objects(EngineContext& context, const std::optional<std::string>& schema,
                  ResultSink& sink);

// Two sets of rows: columns (column, type, null, value, key, on_error, comment), then constraints
// and indexes (name, kind, definition) when there are any. Of a view: its columns and its query.
void describe_table(EngineContext& context, const std::string& table, ResultSink& sink);

}  // namespace coppice::engine
