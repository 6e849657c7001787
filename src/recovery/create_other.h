// Making a backup of other people's data: a database through pg_dump, and folders.
//
// Model    First the dump, then the folders: a row that names a file is not newer than the file.
//          Both go on being written to meanwhile. No home is needed.
// Threads  One thread; files are read, and blobs packed, by threads of their own.
// Errors   kUsage, kRefused; those of the repository, the server and pg_dump: then there is no
//          backup. What cannot be read below a folder is in the report, and the rest backed up.
#pragma once

#include "recovery/recovery.h"

namespace coppice::recovery {

OtherBackupReport back_up_other_data(const OtherBackupRequest& request, ResultSink& sink);

}  // namespace coppice::recovery
