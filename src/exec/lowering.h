// Lowering: takes a bound SELECT apart into engine selects and plain SQL over their results. Not
// for use outside this component.
//
// Model    From the inside out: a query with engine calls of its own either stays an engine select
//          that its parent may merge with, or is run into a TEMP table and replaced by a query of
//          that table. What is left at the top is an engine select or plain SQL. A SELECT with
//          engine calls whose rows must be seen as a whole afterwards is split:
//            an engine condition under GROUP BY, aggregates or window functions: the rows that pass
//            are kept first, then the rest of the SELECT is done over them;
//            DISTINCT, or ORDER BY of an engine result: the select list is kept first.
#pragma once

#include <memory>
#include <vector>

#include "exec/described_relations.h"
#include "exec/engine_select.h"
#include "exec/select_form.h"
#include "exec/temp_table.h"

namespace coppice::exec {

struct Stage {
  EngineSelect select;
  TempTable rows;
};

struct LoweredSelect {
  std::vector<Stage> stages;          // in the order in which they must run
  std::unique_ptr<EngineSelect> top;  // or else:
  std::string sql;                    // over the stages' tables
};

class Lowering {
 public:
  Lowering(const SelectSession& session, sql::Arena& arena);

  Lowering(const Lowering&) = delete;
  Lowering& operator=(const Lowering&) = delete;

  LoweredSelect run(PgQuery__SelectStmt& select);

 private:
  // The CTEs that a query can see, in their order.
  struct Ctes {
    std::vector<sql::Node*> items;
    bool recursive = false;
  };

  void lower(PgQuery__SelectStmt& select, const Ctes& outer);
  Ctes lower_ctes(PgQuery__SelectStmt& select, const Ctes& outer);
  void inline_ctes(PgQuery__SelectStmt& select);
  void lower_from(PgQuery__SelectStmt& select, const Ctes& ctes);
  void lower_item(PgQuery__SelectStmt& select, sql::Node* item, const Ctes& ctes);
  void keep_rows(PgQuery__SelectStmt& query, const Ctes& ctes);
  std::optional<std::vector<std::string>> describe_names(const PgQuery__SelectStmt& query);
  PgQuery__SelectStmt& with_ctes(const PgQuery__SelectStmt& select, const Ctes& ctes);

  bool has_calls(const PgQuery__SelectStmt& select) const;
  bool has_calls(const sql::Node* node) const;
  bool needs_whole_rows(const PgQuery__SelectStmt& select) const;
  bool must_split_order(const PgQuery__SelectStmt& select) const;
  Scope scope_with(const PgQuery__SelectStmt& select, const Ctes& ctes);

  DescribedRelations relations_;
  SelectSession session_;  // with these relations
  sql::Arena& arena_;
  FormContext form_;
  LoweredSelect result_;
};

}  // namespace coppice::exec
