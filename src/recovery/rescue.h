// Rescue: rows, or single cells, of a table as a backup has it, back into a table that lives.
//
// Model    Rows that meet the condition are found again by the primary key. Those that are gone are
//          inserted; of those that are there, cells that differ are set. All of it is one ordinary
//          INSERT … ON CONFLICT: computed columns follow, views too, and `revert` undoes it.
// Units    The rows that are written are in memory, kMostBytes at most; the rows of the backup go
//          through a temporary table.
// Faults   A process that is killed leaves media objects at most, which collection removes.
// Errors   kRefused for a table without a primary key, and for more than kMostBytes; kNotFound and
//          kType for columns; those of the home and of the repository.
#pragma once

#include "config/config.h"
#include "recovery/recovery.h"

namespace coppice::recovery {

inline constexpr std::size_t kMostDifferences = 1'000;

RescueReport rescue(const Config& config, const RescueRequest& request, ResultSink& sink);

}  // namespace coppice::recovery
