#include "engine/operation_end.h"

#include <fmt/core.h>

namespace coppice::engine {
namespace {

std::string how_to_go_on(const catalog::Operation& operation, bool by_itself) {
  if (by_itself) {
    return fmt::format(
        "the next coppice sql, insert or apply goes on with it; coppice jobs discard {} gives it "
        "up",
        operation.text());
  }
  return fmt::format("coppice jobs resume {0} goes on, coppice jobs discard {0} gives it up",
                     operation.text());
}

std::string rows_done(EngineContext& context, const catalog::Operation& operation) {
  const pg::Result row = context.main.exec_cached(
      "SELECT progress_done, progress_total FROM coppice.operations "
      "WHERE tree_id = $1 AND op_id = $2",
      {std::to_string(operation.tree_id), std::to_string(operation.op_id)});
  if (row.rows() == 0 || row.integer(0, 1) == 0) return {};
  return fmt::format("; {} of {} rows are done", row.integer(0, 0), row.integer(0, 1));
}

}  // namespace

bool keeps_work(const Error& error) {
  return error.code() == ErrorCode::kInterrupted || error.code() == ErrorCode::kPaused;
}

std::string_view end_state(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kInterrupted:
    case ErrorCode::kPaused:
      return "interrupted";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kConflict:
      return "conflict";
    default:
      return "failed";
  }
}

void throw_taken_up(std::int64_t tree_id, std::int64_t op_id) {
  throw Error(ErrorCode::kBusy,
              fmt::format("another process goes on with job {}-{} already", tree_id, op_id),
              "see: coppice jobs");
}

void leave_waiting(EngineContext& context, const catalog::Operation& operation, const Error& error,
                   bool goes_on_by_itself) {
  const bool paused = error.code() == ErrorCode::kPaused;
  const std::string message = error.message() + (paused ? rows_done(context, operation) : "");
  context.log.fail(operation, paused ? "paused" : "interrupted", message);
  const std::string how = how_to_go_on(operation, goes_on_by_itself && !paused);
  throw Error(error.code(), message, error.hint().empty() ? how : error.hint() + "; " + how);
}

}  // namespace coppice::engine
