// What a home notes in its catalog of its own backups: `status` and schedules go by it.
#pragma once

#include <string>

#include "pg/connection.h"
#include "recovery/recovery.h"

namespace coppice::recovery {

// The address without secrets, and absolute.
std::string printable_address(const RepositoryAddress& address);

// A backup that was just made, of the point at `moment`. Those of more
// than 400 days ago go.
void note_backup(pg::Connection& connection, const RepositoryAddress& address,
                 const BackupReport& report, const std::string& moment);

struct NotedDrill {
  std::string repository;  // its id
  std::string home_id;     // of the home that the backup is of
  std::int64_t began_us = 0, ended_us = 0;
};
// A drill of one of its backups; of another's nothing is noted.
void note_drill(const Config& config, const NotedDrill& drill, const DrillReport& report);

// That somebody has looked at one of its backups that is suspect; of another's nothing is noted.
void note_confirmation(const Config& config, const std::string& backup, const std::string& by,
                       const std::string& note);

}  // namespace coppice::recovery
