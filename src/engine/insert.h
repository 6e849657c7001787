// INSERT without engine functions: one transaction, the rows go straight into the store.
#pragma once

#include <memory>

#include "engine/direct_write.h"
#include "sql/parse.h"

namespace coppice::engine {

// The columns an INSERT gives values for, in order; computed ones written as DEFAULT are left out
// (and their DEFAULTs taken out of the VALUES lists). Changes the statement.
std::vector<const catalog::ColumnInfo*> prepare_insert_columns(EngineContext& context,
                                                               const catalog::TableInfo& table,
                                                               sql::Statement& statement);

class DirectInsert final : public StatementWrite {
 public:
  using StatementWrite::StatementWrite;

  std::string_view kind() const override { return "insert"; }
  void plan(EngineContext& context, const catalog::TableInfo& table) override;
  void write(EngineContext& context, const catalog::Operation& operation,
             const std::vector<std::int64_t>& only_rows_of, catalog::RowCounts& counts) override;
  bool replaces_rows() const override { return false; }
  void emit(EngineContext& context, ResultSink& sink) override;

 private:
  std::vector<pg::Parameter> values_;
  bool returns_rows_ = false;
  std::optional<pg::Result> returned_;
};

}  // namespace coppice::engine
