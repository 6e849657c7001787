// Rescue, as the command line sees it: rows, or cells of rows, of a backup's table, written into a
// table that lives.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "recovery/repository_address.h"

namespace coppice {

struct RescueRequest {
  RepositoryAddress repository;
  std::optional<std::string> backup, at;
  std::string table;  // in the backup: "films.film", "films.film:12"
  std::string into;   // in the home
  std::string where;  // an expression over the backup's columns
  // Of rows that are there, these cells: "title,year", one name in quotes; none: whole rows.
  std::vector<std::string> columns;
  bool dry_run = false;
};

struct RescueReport {
  // One cell that is other than in the backup; a row that is gone has one, without a column.
  struct Difference {
    std::string row;  // "id = 3"
    std::string column;
    std::optional<std::string> now, then;  // NULL: none
  };
  std::string backup, moment, table, into;
  std::int64_t from_version = 0;        // of the table in the backup
  std::optional<std::int64_t> version;  // that was published; none: nothing was to be done
  std::uint64_t matched = 0;            // rows of the backup that meet the condition
  std::uint64_t changed = 0;            // rows that were there, with other cells
  std::uint64_t missing = 0;            // rows that were not there
  std::uint64_t inserted = 0;           // of those: none when columns were named
  std::uint64_t media_added = 0, media_bytes = 0;
  std::vector<Difference> differences;  // a dry run's: the first kMostDifferences
  std::vector<std::string> damaged;     // media objects that neither backup nor home has
  std::uint64_t bytes_read = 0;         // of the repository
  double seconds = 0;
};

}  // namespace coppice
