// ResultSink: where the engine sends what a statement or verb gives, as it comes.
//
// Model    A verb calls begin_rows, row…, end_rows for each set of rows and done once per
//          statement. Values are PostgreSQL's text form; nullopt is NULL. The views given to row()
//          are valid only during the call.
// Threads  Called from the thread that runs the verb, except progress(), which may come from any.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace coppice {

struct ResultColumn {
  std::string name;
  std::string type;  // SQL name: "bigint", "text", "image", "jsonb", "timestamp with time zone", …
};

struct Progress {
  std::string what;  // "inserting into films.film", "filling films.film.poster"
  std::uint64_t done = 0;
  std::uint64_t total = 0;     // 0: unknown
  double rows_per_second = 0;  // over the last half minute; 0: unknown
};

class ResultSink {
 public:
  virtual ~ResultSink() = default;
  virtual void begin_rows(std::span<const ResultColumn> columns) = 0;
  virtual void row(std::span<const std::optional<std::string_view>> values) = 0;
  virtual void end_rows() = 0;
  // A statement is done: "INSERT 0 3", "CREATE TABLE", with the version it published, if any.
  virtual void done(std::string_view tag, std::optional<std::int64_t> version) = 0;
  virtual void notice(std::string_view text) = 0;
  virtual void progress(const Progress& progress) = 0;
};

}  // namespace coppice
