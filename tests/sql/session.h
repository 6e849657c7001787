// Session: what runs SQL for a test: the engine, or a plain connection.
//
// Model    run() never throws for what a statement does wrong: an Answer holds the rows, or the
//          error as one line of text ("constraint: duplicate key … did you mean …").
// Threads  An object belongs to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace coppice::sql_test {

struct Answer {
  std::vector<std::string> names;          // of the first set of rows
  std::vector<std::string> rows;           // rendered: "1|NULL|(empty)"
  std::optional<std::string> first_value;  // as it came; nullopt without a row, or for NULL
  std::string tag;                         // of the last statement
  std::optional<std::int64_t> version;
  std::optional<std::string> error;
};

// A row as .test files write it.
std::string render_row(std::span<const std::optional<std::string_view>> values);

class Session {
 public:
  virtual ~Session() = default;
  virtual Answer run(const std::string& sql) = 0;
};

std::unique_ptr<Session> engine_session(Engine& engine);
// A connection of its own.
std::unique_ptr<Session> server_session(const std::string& conninfo);

}  // namespace coppice::sql_test
