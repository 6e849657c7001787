// What of a restored home has another root than what was backed up: tables, columns and rows.
//
// Threads  As the context.
// Errors   Those of the server and the repository.
// Source   docs/formats/root.md, "Roots"
#pragma once

#include <string>
#include <vector>

#include "engine/context.h"
#include "engine/engine.h"
#include "recovery/open_repository.h"

namespace coppice::recovery {

// `roots`: of what was restored; its root is not that of the backup. "films.film.title of the rows
// id = 3; id = 7": rows are named where this backup, or one of the last of the same home, has them
// otherwise.
std::vector<std::string> root_differences(engine::EngineContext& context,
                                          const repo::Repository& repository,
                                          const KnownBackup& backup, const RootReport& roots,
                                          ResultSink& sink);

}  // namespace coppice::recovery
