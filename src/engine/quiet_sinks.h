// QuietSinks: where a statement's words go when it runs as part of something larger.
#pragma once

#include "engine/result_sink.h"

namespace coppice::engine {

// Says nothing.
class SilentSink : public ResultSink {
 public:
  void begin_rows(std::span<const ResultColumn>) override {}
  void row(std::span<const std::optional<std::string_view>>) override {}
  void end_rows() override {}
  void done(std::string_view, std::optional<std::int64_t>) override {}
  void notice(std::string_view) override {}
  void progress(const Progress&) override {}
};

// Passes on notices and progress, and nothing that is given or done.
class NoticeSink final : public SilentSink {
 public:
  explicit NoticeSink(ResultSink& sink) : sink_(sink) {}
  void notice(std::string_view text) override { sink_.notice(text); }
  void progress(const Progress& progress) override { sink_.progress(progress); }

 private:
  ResultSink& sink_;
};

}  // namespace coppice::engine
