#include "catalog/operations.h"

#include <fmt/core.h>

#include "base/crash_point.h"
#include "base/text.h"

namespace coppice::catalog {
namespace {

std::string cut_statement(std::string_view statement) {
  if (statement.size() <= kStatementBytesKept) return std::string(statement);
  std::size_t end = kStatementBytesKept;
  while (end > 0 && (static_cast<unsigned char>(statement[end]) & 0xC0) == 0x80) --end;
  return std::string(statement.substr(0, end)) + " …";
}

std::string text_of(std::int64_t number) { return std::to_string(number); }

}  // namespace

std::string Operation::text() const { return fmt::format("{}-{}", tree_id, op_id); }

Operation OperationLog::begin(const TableInfo& table, std::string_view kind,
                              std::string_view statement) {
  // Not flushed: if the server crashes before a later commit is, nothing of the operation is left
  // either, and that commit's flush takes this row with it.
  const pg::Result drawn = connection_.exec_cached(
      "SELECT b.op_id, b.version, b.schema_version, "
      "set_config('coppice.op', b.op_id::text, false) "
      "FROM coppice.begin_operation($1, $2, $3, $4, $5, $6) b "
      "WHERE set_config('synchronous_commit', 'off', true) IS NOT NULL",
      {text_of(table.tree_id), text_of(table.table_id), table.name.schema + "." + table.name.name,
       std::string(kind), cut_statement(statement), author_});
  if (drawn.rows() == 0 || drawn.is_null(0, 0)) {
    throw Error(ErrorCode::kNotFound, "table " + table.user_name() + " was dropped meanwhile");
  }
  reach_crash_point("operation.drawn");
  Operation operation;
  operation.tree_id = table.tree_id;
  operation.table_id = table.table_id;
  operation.op_id = drawn.integer(0, 0);
  operation.seen_version = drawn.integer(0, 1);
  operation.schema_version = drawn.integer(0, 2);
  if (on_begin_) on_begin_(operation);
  return operation;
}

void OperationLog::enter(const Operation& operation) {
  connection_.exec_cached("SELECT set_config('coppice.op', $1, true)", {text_of(operation.op_id)});
}

PublishResult OperationLog::publish(const Operation& operation, const RowCounts& counts,
                                    bool check_rows, bool changes_schema) {
  try {
    const pg::Result published = connection_.exec_cached(
        "SELECT p.version, array_to_string(p.concurrent_ops, ',') "
        "FROM coppice.publish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) p",
        {text_of(operation.tree_id), text_of(operation.op_id), text_of(operation.schema_version),
         text_of(operation.seen_version), check_rows ? "t" : "f", text_of(counts.inserted),
         text_of(counts.updated), text_of(counts.deleted), text_of(counts.errors),
         changes_schema ? "t" : "f"});
    PublishResult result;
    if (published.is_null(0, 1)) {
      if (!published.is_null(0, 0)) result.version = published.integer(0, 0);
    } else {
      result.seen_version = published.integer(0, 0);
      for (const std::string& op : split(published.text(0, 1), ',')) {
        result.concurrent_ops.push_back(std::stoll(op));
      }
    }
    return result;
  } catch (const pg::ServerError& error) {
    if (error.sqlstate() == "CP001") throw SchemaChanged();
    if (error.sqlstate() == "CP002") throw Error(ErrorCode::kNotFound, error.message());
    throw;
  }
}

void OperationLog::fail(const Operation& operation, std::string_view state,
                        std::string_view message) {
  connection_.exec_cached(
      std::string("UPDATE coppice.operations SET message = $4, state = CASE "
                  "WHEN asked = 'cancel' AND $3 = 'failed' THEN 'cancelled' ELSE $3 END, "
                  "ended_at = clock_timestamp() "
                  "WHERE tree_id = $1 AND op_id = $2 AND state = 'running'"),
      {text_of(operation.tree_id), text_of(operation.op_id), std::string(state),
       cut_statement(message)});
}

std::optional<WaitingOperation> OperationLog::take_up(std::int64_t tree_id, std::int64_t op_id,
                                                      bool unless_paused) {
  const pg::Result taken = connection_.exec_cached(
      fmt::format("UPDATE coppice.operations o SET state = 'running', ended_at = NULL, "
                  "message = NULL, asked = NULL, asked_by = NULL, sample_times = NULL, "
                  "sample_rows = NULL, progress_total = o.progress_done, backend_pid = a.pid, "
                  "backend_start = a.backend_start FROM pg_stat_get_activity(pg_backend_pid()) a "
                  "WHERE o.tree_id = $1 AND o.op_id = $2 AND o.state IN ({}) "
                  "RETURNING o.table_id, o.kind, coalesce(o.detail, '{{}}')",
                  unless_paused ? "'interrupted'" : kWaitingStates),
      {text_of(tree_id), text_of(op_id)});
  if (taken.rows() == 0) return std::nullopt;
  WaitingOperation waiting;
  waiting.operation.tree_id = tree_id;
  waiting.operation.op_id = op_id;
  waiting.operation.table_id = taken.is_null(0, 0) ? 0 : taken.integer(0, 0);
  waiting.kind = taken.text(0, 1);
  waiting.detail = taken.text(0, 2);
  if (on_begin_) on_begin_(waiting.operation);
  return waiting;
}

int OperationLog::settle_abandoned() {
  // Where several sessions work on one operation, another of them stands for it.
  const pg::Result settled = connection_.exec(
      "UPDATE coppice.operations o SET backend_pid = w.backend_pid, "
      "backend_start = w.backend_start FROM coppice.job_workers w "
      "JOIN LATERAL pg_stat_get_activity(w.backend_pid) a ON a.backend_start = w.backend_start "
      "WHERE o.state = 'running' AND o.tree_id = w.tree_id AND o.op_id = w.op_id AND NOT EXISTS ("
      "SELECT 1 FROM pg_stat_get_activity(o.backend_pid) b WHERE b.backend_start = "
      "o.backend_start); "
      "UPDATE coppice.operations o SET state = CASE asked WHEN 'pause' THEN 'paused' "
      "ELSE 'interrupted' END, ended_at = clock_timestamp(), "
      "message = 'the process that ran it ended' WHERE o.state = 'running' AND NOT EXISTS ("
      "SELECT 1 FROM pg_stat_get_activity(o.backend_pid) a "
      "WHERE a.backend_start = o.backend_start)");
  return static_cast<int>(settled.affected_rows());
}

}  // namespace coppice::catalog
