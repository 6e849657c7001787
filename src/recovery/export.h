// Exporting a backup: SQL for a PostgreSQL without Coppice, and an archive of the media.
//
// Model    FOLDER/backup.sql is for `psql -v ON_ERROR_STOP=1 -f`, FOLDER/media.tar for `tar x`. Of
//          the repository alone; the folder is there when both are whole and durable.
// Units    Memory: a few blobs, whatever the backup's size.
// Errors   As OutputFolder; kUnsupported for a backup that has no plain schema.
// Source   docs/formats/export.md
#pragma once

#include "recovery/recovery.h"

namespace coppice::recovery {

ExportReport export_backup(const ExportRequest& request, ResultSink& sink);

}  // namespace coppice::recovery
