// One table of a backup, under another name in a home that is there.
//
// Model    Media first, as far as the home does not have them; then the table, its rows and its
//          version in one transaction: all of it is there, or nothing. Cells of computed columns
//          are those of the backup; what makes them is taken over where the home can run it.
//          Neither the home nor the table knows the backup's operations: the rows are version 1.
// Faults   A process that is killed leaves media objects at most, which collection removes.
// Errors   kAlreadyExists for a name that is taken; as backup_table.h; those of the home.
#pragma once

#include "config/config.h"
#include "recovery/recovery.h"

namespace coppice::recovery {

TableRestoreReport restore_table(const Config& config, const TableRestoreRequest& request,
                                 ResultSink& sink);

}  // namespace coppice::recovery
