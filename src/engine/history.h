// History and errors: what happened to a table, and which cells could not be computed.
//
// Model    History is one row a published version, oldest first, so that the last line is the
//          newest. Versions that prune removed are gone from it.
//          An error belongs to a cell: it is listed while the row is current and its cell still
//          NULL. A later operation that computes the cell, or removes the row, ends it.
#pragma once

#include <optional>
#include <string>

#include "engine/context.h"

namespace coppice::engine {

void show_history(EngineContext& context, const std::string& table, ResultSink& sink);
// Of one table or of all.
void show_errors(EngineContext& context, const std::optional<std::string>& table, ResultSink& sink);

// SQL over coppice.cell_errors AS e: published errors of a column that its present expression left.
std::string present_errors_sql(const catalog::TableInfo& table, const catalog::ColumnInfo& column);

}  // namespace coppice::engine
