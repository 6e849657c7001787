// Root history: what the history root covers besides the content: every row version, and the
// operations that made them.
//
// Source   docs/formats/root.md, "History"
#pragma once

#include "backup/lattice_sum.h"
#include "engine/root_content.h"

namespace coppice::engine {

// Of the open transaction: the lists, and which physical columns each table's row versions have.
void read_history(EngineContext& context, HomeContent& content);
struct HistorySum {
  LatticeSum sum;
  bool differs = false;  // from the kept one
};
// Over all row versions that kept versions show; a sum that is kept is brought up to the version,
// unless only the rows count. ContentMoved when prune removes some meanwhile.
HistorySum history_sum(EngineContext& context, pg::Connection& reading, const TableContent& content,
                       SumSource source, ResultSink& sink);
// `sums` in the order of the content's tables.
Digest history_root(const HomeContent& content, const Digest& content_root,
                    const std::vector<LatticeSum>& sums);

}  // namespace coppice::engine
