// TempTable: rows of an engine select, kept on the connection for the SQL around it.
//
// Model    Columns are c1, c2 …. Made outside of the reading transaction, for a READ ONLY one may
//          fill TEMP tables but not make them; dropped with the object.
// Threads  As the Connection.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pg/connection.h"

namespace coppice::exec {

class TempTable {
 public:
  TempTable(pg::Connection& connection, const std::vector<std::string>& column_types);
  TempTable(TempTable&& other) noexcept;
  TempTable& operator=(TempTable&&) = delete;
  ~TempTable();

  const std::string& name() const { return name_; }  // in the schema pg_temp
  static std::string column(std::size_t index) { return "c" + std::to_string(index + 1); }

  using Row = std::span<const std::optional<std::string_view>>;
  void append(Row values);
  // Sends what append() collected.
  void flush();
  // After the last row: also lets the planner know how much there is.
  void finish();
  // Before it is filled again.
  void clear();

 private:
  pg::Connection* connection_;
  std::string name_;
  std::size_t column_count_;
  std::string buffer_;  // COPY text
  std::size_t row_count_ = 0;
};

}  // namespace coppice::exec
