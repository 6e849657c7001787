// MatchingSink: passes on the rows of which one column has a given value, for verbs that tell what
// one of many would be.
//
// Threads  As ResultSink.
#pragma once

#include <algorithm>
#include <string>

#include "engine/result_sink.h"

namespace coppice::cli {

class MatchingSink final : public ResultSink {
 public:
  MatchingSink(ResultSink& sink, std::string column, std::string value)
      : sink_(sink), column_(std::move(column)), value_(std::move(value)) {}

  std::size_t count() const { return count_; }

  void begin_rows(std::span<const ResultColumn> columns) override {
    const auto found = std::find_if(columns.begin(), columns.end(),
                                    [this](const ResultColumn& c) { return c.name == column_; });
    index_ = static_cast<std::size_t>(found - columns.begin());
    sink_.begin_rows(columns);
  }
  void row(std::span<const std::optional<std::string_view>> values) override {
    if (index_ >= values.size() || values[index_] != value_) return;
    ++count_;
    sink_.row(values);
  }
  void end_rows() override { sink_.end_rows(); }
  void done(std::string_view tag, std::optional<std::int64_t> version) override {
    sink_.done(tag, version);
  }
  void notice(std::string_view text) override { sink_.notice(text); }
  void progress(const Progress& progress) override { sink_.progress(progress); }

 private:
  ResultSink& sink_;
  std::string column_;
  std::string value_;
  std::size_t index_ = 0;
  std::size_t count_ = 0;
};

}  // namespace coppice::cli
