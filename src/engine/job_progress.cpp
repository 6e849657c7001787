#include "engine/job_progress.h"

namespace coppice::engine {

void JobProgress::note(std::int64_t done, std::int64_t found) {
  const pg::Result now = context_.main.exec_cached(
      "SELECT p.done, p.total, coalesce(p.rate, 0) FROM coppice.note_progress($1, $2, $3, $4) p",
      {std::to_string(operation_.tree_id), std::to_string(operation_.op_id), std::to_string(done),
       std::to_string(found)});
  if (now.is_null(0, 0)) return;  // the operation is gone with its table
  progress_.done = static_cast<std::uint64_t>(now.integer(0, 0));
  progress_.total = static_cast<std::uint64_t>(now.integer(0, 1));
  progress_.rows_per_second = std::stod(std::string(now.text(0, 2)));
}

}  // namespace coppice::engine
