// Current rows of a table, of the lines of a backup, and the sums over them: without a database.
//
// Threads  One thread.
// Errors   Those of the repository.
// Source   docs/formats/backup.md, "Reading rows"; docs/formats/root.md, "Sums"
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/lattice_sum.h"
#include "backup/runs.h"

namespace coppice::recovery {

// Lines of these physical columns, of each row version that is current at the table's point.
void for_each_current_row(const repo::Repository& repository, const TableRuns& table,
                          const std::vector<std::string>& columns,
                          const std::function<void(std::string_view line)>& visit);

struct SumRequest {
  std::vector<std::string> columns;  // physical ones, by position
  std::vector<std::string> key;      // of them, in key order; none: whole rows are summed
};
// One sum a column, or one of the rows.
std::vector<LatticeSum> sum_rows_of(const repo::Repository& repository, const TableRuns& table,
                                    const SumRequest& request);

}  // namespace coppice::recovery
