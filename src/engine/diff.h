// Diff: what differs between two versions of a table, columns and rows.
//
// Model    Columns first: added, dropped, renamed, of another type or expression. Then rows: those
//          that only one version has, whole and as JSON, and each cell that differs of those that
//          both have. Columns are matched by their ids, rows by their identity, which UPDATE and
//          revert keep. Only row versions that came or went in between are read; a column whose
//          expression or type was changed is compared in all rows, for that changed them all.
//          Cells of columns that only one version has are not compared.
// Errors   kNotFound for a version that does not exist or was pruned.
#pragma once

#include <string>

#include "engine/context.h"

namespace coppice::engine {

// `from` and `to` as Catalog::version_at() reads them; either may be the older one.
void show_diff(EngineContext& context, const std::string& table, const std::string& from,
               const std::string& to, bool schema_only, ResultSink& sink);

}  // namespace coppice::engine
