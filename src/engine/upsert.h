// INSERT … ON CONFLICT DO UPDATE without engine functions, in one transaction.
//
// Model    The rows to insert are put into a temporary table. Rows that have their keys are locked,
//          so that nobody replaces them before this operation is published, closed, and written
//          anew from what they were and from `excluded`. The others are inserted; where another
//          writer was first, its row is locked and replaced in the next round.
// Errors   As DirectInsert; kConstraint when two of the rows have one key.
#pragma once

#include "engine/conflict_target.h"
#include "engine/direct_write.h"
#include "sql/parse.h"

namespace coppice::engine {

class DirectUpsert final : public StatementWrite {
 public:
  using StatementWrite::StatementWrite;

  std::string_view kind() const override { return "insert"; }
  void plan(EngineContext& context, const catalog::TableInfo& table) override;
  void write(EngineContext& context, const catalog::Operation& operation,
             const std::vector<std::int64_t>& only_rows_of, catalog::RowCounts& counts) override;
  // The rows that it replaces are locked when they are read.
  bool replaces_rows() const override { return false; }
  void emit(EngineContext& context, ResultSink& sink) override;

 private:
  void plan_source(EngineContext& context, const catalog::TableInfo& table,
                   sql::Statement& statement);
  void plan_given(const catalog::TableInfo& table, bool compute);
  void plan_conflicts(const catalog::TableInfo& table, const ConflictTarget& target);
  void plan_update(const catalog::TableInfo& table, sql::Statement& statement);
  void plan_returning(const catalog::TableInfo& table, sql::Statement& statement);
  // Makes `sql` the planned text: there an error would lie.
  pg::Result run(EngineContext& context, const std::string& sql);
  void load(EngineContext& context, const catalog::Operation& operation);
  void refuse_twice(EngineContext& context);

  std::string alias_;
  std::vector<std::string> make_;
  bool computes_excluded_ = false;
  std::string load_, twice_, lock_, insert_, waiting_, update_, returning_;
  std::string compute_;  // for the setting coppice.compute, of rows that are updated
  std::optional<pg::Result> returned_;
};

// Whether an INSERT is one.
bool is_upsert(const PgQuery__InsertStmt& insert);

}  // namespace coppice::engine
