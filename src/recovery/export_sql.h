// backup.sql: the tables of a backup as SQL that any PostgreSQL reads.
#pragma once

#include "backup/tree.h"
#include "recovery/open_repository.h"
#include "recovery/output_folder.h"
#include "recovery/recovery.h"

namespace coppice::recovery {

// `history`: every kept version of the rows, too, in the schema coppice_history. Counts tables and
// rows in the report, and names what is left out.
void export_sql(const repo::Repository& repository, const KnownBackup& backup, const Tree& home,
                bool history, OutputFile& file, ExportReport& report, ResultSink& sink);

}  // namespace coppice::recovery
