// The middle of a drill of other people's data: files are restored to a scratch folder and read
// again, the dump is restored into a database of a scratch server.
//
// Threads  One thread; see restore_files.h and restore_dump.h.
// Errors   Those of both, and of the server: why the drill did not pass.
#pragma once

#include <filesystem>

#include "recovery/other_data.h"
#include "recovery/recovery.h"

namespace coppice::recovery {

// `folder` is not there yet, and the caller stops the server that is left in it. Of `report` the
// restore and the assertions are filled in.
void drill_other_data(const repo::Repository& repository, const KnownBackup& backup,
                      const std::filesystem::path& folder, const std::string& assertions,
                      DrillReport& report, ResultSink& sink);

}  // namespace coppice::recovery
