#include "engine/group_commit.h"

namespace coppice::engine {

GroupCommit::~GroupCommit() {
  if (!open_) return;
  try {
    if (connection_.is_alive()) connection_.exec("RESET synchronous_commit");
  } catch (const Error&) {  // the connection is lost, and its setting with it
  }
}

void GroupCommit::begin() {
  if (open_) return;
  connection_.exec("SET synchronous_commit = off");
  open_ = true;
}

void GroupCommit::end() {
  settle();
  if (!open_) return;
  connection_.exec("RESET synchronous_commit");
  open_ = false;
}

void GroupCommit::settle() {
  if (!open_) return;
  // A commit that waits takes all earlier ones to the disk with it. It needs something to write:
  // a message in the log that nobody reads.
  connection_.exec(
      "BEGIN; SET LOCAL synchronous_commit TO DEFAULT; "
      "SELECT pg_logical_emit_message(true, 'coppice', ''); COMMIT");
  const std::vector<Answer> settled = std::exchange(held_, {});
  for (const Answer& answer : settled) sink_.done(answer.tag, answer.version);
}

void GroupCommit::settle_when_due() {
  if (!held_.empty() && std::chrono::steady_clock::now() - oldest_ >= kLongestHold) settle();
}

void GroupCommit::begin_rows(std::span<const ResultColumn> columns) {
  settle();
  sink_.begin_rows(columns);
}

void GroupCommit::row(std::span<const std::optional<std::string_view>> values) {
  sink_.row(values);
}

void GroupCommit::end_rows() { sink_.end_rows(); }

void GroupCommit::done(std::string_view tag, std::optional<std::int64_t> version) {
  if (!open_) {
    sink_.done(tag, version);
    return;
  }
  if (held_.empty()) oldest_ = std::chrono::steady_clock::now();
  held_.push_back({std::string(tag), version});
}

void GroupCommit::notice(std::string_view text) {
  settle();
  sink_.notice(text);
}

void GroupCommit::progress(const Progress& progress) { sink_.progress(progress); }

}  // namespace coppice::engine
