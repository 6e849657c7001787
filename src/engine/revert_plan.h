// RevertPlan: the SQL that gives a table the rows of an older version, under its present schema.
//
// Model    A row differs when it came or went since the version, or when one of its cells is
//          another now; only those rows are closed and written. A row that comes back keeps its
//          identity. Its cells are copied from the old row version by column id:
//          - a stored cell of the same physical column, as it is;
//          - a plain column added since has the default it was added with; where that differs by
//            row it is drawn again for row versions that were gone by then;
//          - a column whose type was changed since, converted as ALTER … USING did, where the old
//            row version was gone by then;
//          - a column that was computed in the version and is not any more, its value of then;
//          - a computed column added or changed since has a stored cell if the old row version was
//            still current then; else the row is "incomplete" and the cell must be computed.
//          Columns dropped since are left out.
// Source   design, section 5.10; docs/decisions/0003 for row identities.
// Threads  A value; it belongs to the description of the table it was made for.
#pragma once

#include <string>
#include <vector>

#include "catalog/store_ddl.h"
#include "engine/context.h"

namespace coppice::engine {

class RevertPlan {
 public:
  RevertPlan(EngineContext& context, catalog::TablePointer table,
             const catalog::VersionInfo& target);

  const catalog::TableInfo& table() const { return *table_; }
  // Names of columns that the version had and the table has no more.
  const std::vector<std::string>& dropped() const { return dropped_; }
  // What incomplete rows need computed, and the hidden columns of fills, which every row needs.
  const std::vector<const catalog::ColumnInfo*>& computed() const { return computed_; }
  // True when only function workers can compute some of that.
  bool needs_workers() const { return needs_workers_; }

  // (inserted, updated, deleted): what differs.
  std::string count() const;
  // Closes current rows that the version does not have like this.
  std::string close() const;
  // Puts all that differs into an empty stage, as an operation that inserts, updates and deletes:
  // of a table with materialized views. Two statements.
  std::string load_all(const std::string& stage) const;

  // Writes the rows that came back: those with all cells stored, and those to compute.
  std::string insert_complete() const;
  std::string insert_incomplete() const;
  // For coppice.compute while they are written: what the store's trigger computes.
  std::string computed_for_complete() const;
  std::string computed_for_incomplete() const;

  // With workers: puts incomplete rows that are not in `stage` yet there, to be computed;
  // true as long as one is missing; and writes them from there.
  std::string load_stage(const std::string& stage) const;
  std::string is_missing(const std::string& stage) const;
  std::string insert_staged(const std::string& stage) const;

 private:
  struct Cell {
    const catalog::ColumnInfo* column = nullptr;
    std::string stored = "true";  // over g: whether the row version holds the cell
    std::string value;            // over g
  };

  Cell make_cell(EngineContext& context, const catalog::ColumnInfo& column);
  Cell make_plain_cell(EngineContext& context, const std::string& physical,
                       const std::string& type);
  std::string filled_since(EngineContext& context, std::int64_t birth) const;
  // A column that must be computed is needed for `rows` that are not complete.
  void need(const catalog::ColumnInfo& column);
  std::string gone() const;  // of rows of that version, and of present ones: all that may differ
  std::string come() const;
  std::string same_cells() const;
  std::string coming_back(
      const std::string& joined = {}) const;  // FROM … WHERE …: old row versions, called g
  std::string columns() const;
  std::string row_of(std::string_view source, catalog::RowMark mark) const;
  std::string values() const;

  catalog::TablePointer table_;
  catalog::VersionInfo target_;
  std::vector<Cell> cells_;
  std::vector<std::string> dropped_;
  std::vector<const catalog::ColumnInfo*> computed_;
  std::string complete_ = "true";  // over g
  bool needs_workers_ = false;
  bool compare_all_ = false;  // also rows that were not touched since: their cells may differ
};

}  // namespace coppice::engine
