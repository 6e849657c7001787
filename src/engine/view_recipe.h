// ViewRecipe: how the rows of a materialized view are made from those of its parent.
//
// Model    Everything the view's query says, bound: WHERE as terms that PostgreSQL evaluates and
//          terms that need workers, the iterator, and for each column of the select list what it
//          reads. From that follows what a change of the parent's row means to the view: nothing,
//          other cells in the rows that are there, or other rows.
// Threads  A value; it belongs to the descriptions it was made from.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/compute.h"
#include "engine/context.h"
#include "sql/parse.h"

namespace coppice::engine {

class ViewRecipe {
 public:
  ViewRecipe(EngineContext& context, catalog::TablePointer view, catalog::TablePointer parent);

  struct Expression {
    const catalog::ColumnInfo* column = nullptr;  // of the select list; none for WHERE
    sql::Statement bound;
    std::string sql;  // in store's types; with calls of stubs when uses_engine
    bool uses_engine = false;
    std::set<std::int64_t> parent_reads;   // ids of the parent's columns
    std::set<std::size_t> iterator_reads;  // numbers of the iterator's columns, pos is 0
    std::optional<std::size_t> plain_of;   // it is just that column of the iterator
  };

  const catalog::TableInfo& view() const { return *view_; }
  const catalog::TableInfo& parent() const { return *parent_; }
  const std::vector<Expression>& columns() const { return columns_; }
  // The terms of WHERE.
  const std::vector<Expression>& sql_terms() const { return sql_terms_; }
  const std::vector<Expression>& engine_terms() const { return engine_terms_; }
  const Expression* iterator() const { return iterator_ ? &*iterator_ : nullptr; }
  const Signature* signature() const { return signature_; }
  // The server's types of the iterator's columns, pos first.
  const std::vector<std::string>& iterator_types() const { return iterator_types_; }

  // The parent's columns that the query reads.
  const std::set<std::int64_t>& reads() const { return reads_; }

  // What other values in these columns of the parent mean: new rows, or these columns of the select
  // list anew in the rows that are there.
  struct Effect {
    bool makes_rows_anew = false;
    std::vector<const Expression*> columns;
  };
  Effect effect_of(const std::set<std::int64_t>& changed) const;
  // The column of the view that holds a column of the iterator as it is.
  const catalog::ColumnInfo* keeper_of(std::size_t iterator_column) const;

 private:
  Expression bind(EngineContext& context, const std::string& text, bool is_iterator = false) const;
  void note_reads(Expression& expression) const;

  catalog::TablePointer view_;
  catalog::TablePointer parent_;
  std::vector<Expression> columns_;
  std::vector<Expression> sql_terms_;
  std::vector<Expression> engine_terms_;
  std::optional<Expression> iterator_;
  const Signature* signature_ = nullptr;
  std::vector<std::string> iterator_types_;
  std::set<std::int64_t> reads_;
};

}  // namespace coppice::engine
