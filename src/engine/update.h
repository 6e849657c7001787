// UPDATE and DELETE without engine functions: old rows are closed, new ones written, in one
// transaction.
#pragma once

#include "engine/direct_write.h"
#include "sql/parse.h"

namespace coppice::engine {

// One assignment of an UPDATE: the column and its new value, NULL-typed literals already cast.
struct Assignment {
  const catalog::ColumnInfo* column = nullptr;
  sql::Node* value = nullptr;
  bool of_part = false;  // a[1] = …: the value is the old one with another part
};

// Reads SET a = …, (b, c) = (…, …), d = DEFAULT, e[1] = …; refuses computed and reserved columns.
// `alias` is what the old row is called.
std::vector<Assignment> read_assignments(const catalog::TableInfo& table, const std::string& alias,
                                         sql::Statement& statement, std::size_t count,
                                         sql::Node** items);

// Its planned text takes one more parameter: the operations whose rows to look at again.
class DirectUpdate final : public StatementWrite {
 public:
  using StatementWrite::StatementWrite;

  std::string_view kind() const override { return "update"; }
  void plan(EngineContext& context, const catalog::TableInfo& table) override;
  void write(EngineContext& context, const catalog::Operation& operation,
             const std::vector<std::int64_t>& only_rows_of, catalog::RowCounts& counts) override;
  bool replaces_rows() const override { return true; }
  void emit(EngineContext& context, ResultSink& sink) override;

 private:
  std::string compute_;  // for the setting coppice.compute
  std::vector<pg::Parameter> values_;
  bool returns_rows_ = false;
  std::vector<pg::Result> returned_;
};

// The text is a DELETE, or a TRUNCATE of one table.
class DirectDelete final : public StatementWrite {
 public:
  using StatementWrite::StatementWrite;

  std::string_view kind() const override { return "delete"; }
  void plan(EngineContext& context, const catalog::TableInfo& table) override;
  void write(EngineContext& context, const catalog::Operation& operation,
             const std::vector<std::int64_t>& only_rows_of, catalog::RowCounts& counts) override;
  bool replaces_rows() const override { return true; }
  void emit(EngineContext& context, ResultSink& sink) override;

 private:
  std::vector<pg::Parameter> values_;
  std::vector<std::string> restarted_;  // sequences, by TRUNCATE … RESTART IDENTITY
  bool returns_rows_ = false;
  std::vector<pg::Result> returned_;
};

}  // namespace coppice::engine
