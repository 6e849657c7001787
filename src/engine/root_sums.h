// Sums of a table: those of its root, kept between two calls and brought up to a version.
//
// Model    With a primary key each visible column has a sum, without one the rows have one. A kept
// sum
//          is over the rows of one version; the rows that came and went between that and the
//          version wanted are added and subtracted, so that the cost follows the change. What is
//          not kept, or cannot be brought up because prune has removed rows, is made from all rows.
// Errors   ContentMoved when the table is dropped, altered or pruned meanwhile: look again.
// Source   docs/formats/root.md, "Kept sums"
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backup/lattice_sum.h"
#include "engine/context.h"

namespace coppice::engine {

class ContentMoved : public Error {
 public:
  ContentMoved()
      : Error(ErrorCode::kConflict, "the tables were changed while they were read",
              "try again; it goes best while no tables are dropped") {}
};

// ContentMoved when it is not there any more.
catalog::VersionInfo version_still_there(EngineContext& context, const catalog::TableInfo& table,
                                         std::int64_t version);

enum class SumSource {
  kKept,      // brought up
  kRows,      // from the rows alone; differences are told
  kAccepted,  // from the rows alone, and kept in place of what differs
};

struct TableSums {
  std::vector<LatticeSum> columns;  // of the visible columns, with a primary key
  std::optional<LatticeSum> rows;   // without one
  std::vector<bool> differs;        // from the kept one: of each column, or of the rows
  std::uint64_t rows_read = 0;
};

// Columns of the primary key in key order; none: there is no key.
std::vector<const catalog::ColumnInfo*> key_columns(const catalog::TableInfo& table);

// `reading` is a session in canonical form (backup/row_sums.h), `table` as it was at `at`.
TableSums sums_of_table(EngineContext& context, pg::Connection& reading,
                        const catalog::TableInfo& table, const catalog::VersionInfo& at,
                        SumSource source, ResultSink& sink);

// A sum that is kept of a table, by what it is over ("c7 by c1", "history c1,c7 from 0").
struct KeptSum {
  std::int64_t version = 0;
  LatticeSum sum;
};
std::optional<KeptSum> find_kept_sum(EngineContext& context, const catalog::TableInfo& table,
                                     const std::string& scope);
// In place of an older one; of any one when `replaces`.
void keep_sum(EngineContext& context, const catalog::TableInfo& table, const std::string& scope,
              const KeptSum& sum, bool replaces = false);

// Throws ContentMoved when the versions from `version` on are not all there any more.
void check_floor(EngineContext& context, const catalog::TableInfo& table, std::int64_t version);

}  // namespace coppice::engine
