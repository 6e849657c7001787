// GroupCommit: several statements of one script wait for the disk together.
//
// Model    Inside a group the server does not wait for the disk at each commit, and what the
//          statements say ("INSERT 0 1") is held back. settle() makes everything committed so far
//          durable and then says it: nobody is told of a change that a power cut could undo.
//          settle_when_due() does so once the oldest held answer is kLongestHold old. Whatever
//          else is told (rows, notices) settles first, so the order stays.
// Errors   When settling fails the connection is lost; what is still held may be lost too.
// Threads  As the connection.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "engine/result_sink.h"
#include "pg/connection.h"

namespace coppice::engine {

class GroupCommit final : public ResultSink {
 public:
  static constexpr std::chrono::milliseconds kLongestHold{20};

  GroupCommit(pg::Connection& connection, ResultSink& sink)
      : connection_(connection), sink_(sink) {}
  ~GroupCommit() override;  // ends the group; what is still held is not told
  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;

  // The statements that follow may share one wait.
  void begin();
  // Each commit waits by itself again.
  void end();
  void settle();
  void settle_when_due();
  // How many answers are held back.
  std::size_t held() const { return held_.size(); }

  void begin_rows(std::span<const ResultColumn> columns) override;
  void row(std::span<const std::optional<std::string_view>> values) override;
  void end_rows() override;
  void done(std::string_view tag, std::optional<std::int64_t> version) override;
  void notice(std::string_view text) override;
  void progress(const Progress& progress) override;

 private:
  struct Answer {
    std::string tag;
    std::optional<std::int64_t> version;
  };
  pg::Connection& connection_;
  ResultSink& sink_;
  bool open_ = false;
  std::vector<Answer> held_;
  std::chrono::steady_clock::time_point oldest_;
};

}  // namespace coppice::engine
