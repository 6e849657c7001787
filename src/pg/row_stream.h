// RowStream and Cursor: results of any size, a few rows at a time.
//
// Model    RowStream is the fast one: rows come as the server sends them, and the connection is
//          taken until the end. Cursor fetches blocks inside a transaction, and other statements
//          may run on the connection between two blocks.
// Units    Memory is one row for RowStream, one block for Cursor.
// Errors   As Connection; an error may come after some rows were given.
// Threads  As the Connection.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pg/connection.h"

namespace coppice::pg {

class RowStream {
 public:
  RowStream(Connection& connection, const std::string& sql, Parameters parameters = {});
  // Before the end: the statement is cancelled (and an enclosing transaction spoiled).
  ~RowStream();
  RowStream(const RowStream&) = delete;
  RowStream& operator=(const RowStream&) = delete;

  const std::vector<Column>& columns() const { return columns_; }
  // Moves to the next row; the first call to the first one. False at the end.
  bool next();
  // The current row; the views are valid until the next call of next().
  std::span<const std::optional<std::string_view>> row() const { return values_; }
  // How many rows came; known at the end: the command's tag.
  const std::string& command_tag() const { return command_tag_; }

 private:
  void receive();
  void finish() noexcept;

  struct Free {
    void operator()(pg_result* result) const;
  };
  internal::ConnectionState& state_;
  std::unique_ptr<pg_result, Free> current_;
  std::vector<Column> columns_;
  std::vector<std::optional<std::string_view>> values_;
  std::string command_tag_;
  bool open_ = true;
  bool first_pending_ = true;
};

class Cursor {
 public:
  // Needs an open transaction, in which the cursor lives. `sql` is a SELECT or VALUES.
  Cursor(Connection& connection, const std::string& sql, Parameters parameters = {},
         const std::string& name = "coppice_cursor");
  ~Cursor();
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  // The next rows, at most `count` of them; no rows at the end.
  Result fetch(int count = 2048);

 private:
  Connection& connection_;
  std::string name_;
};

}  // namespace coppice::pg
