// TaskLog: what the catalog of a home knows of the tasks of its schedule: since when they have had
// their calendar, and what became of their runs.
//
// Units    Seconds since 1970-01-01 00:00 UTC.
// Threads  One thread.
// Source   coppice.scheduled_tasks, coppice.scheduled_runs in catalog/schema_0002.sql
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "schedule/due.h"

namespace coppice::recovery {

struct LoggedRun {
  schedule::Attempt attempt;
  std::string began_at;  // in PostgreSQL's form
  std::string outcome;
  std::string error;
};

class TaskLog {
 public:
  explicit TaskLog(pg::Connection& connection) : connection_(connection) {}

  // Runs that have not ended died with their process: to be called by who holds the schedule's
  // lock.
  void settle();
  // Tasks that are scheduled no more have no calendar: they begin anew when they have one again.
  void drop_others(const std::vector<std::string>& scheduled);
  // Since when the task has had this calendar; from now on, when it had another one or none.
  std::int64_t since_s(const std::string& task, const std::string& calendar, std::int64_t now_s);
  // The same, noting nothing; nullopt: it has not had it yet.
  std::optional<std::int64_t> known_since_s(const std::string& task, const std::string& calendar);
  // The newest first; those of the last months.
  std::vector<LoggedRun> runs(const std::string& task);

  std::string begin(const std::string& task, std::int64_t now_s);
  void end(const std::string& run, const std::string& outcome, const std::string& error,
           std::optional<std::uint32_t> part, std::int64_t now_s);
  // The part that verify is to read: the one after that which was read last.
  std::uint32_t next_part(std::uint32_t parts);

 private:
  pg::Connection& connection_;
};

}  // namespace coppice::recovery
