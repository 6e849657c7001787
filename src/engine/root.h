// Root: 32 bytes that stand for the content of a home, a table or a column.
//
// Model    All tables are read at one point, as of the version that each has then, while writers go
//          on. Sums of earlier calls are brought up to it; a request may say that only the rows
//          count, and then the report names the tables and columns whose kept sums differ.
// Errors   kNotFound with the nearest name; kRefused for a column of a table without a primary key;
//          kConflict when tables are dropped or pruned again and again while they are read.
// Source   docs/formats/root.md, docs/decisions/0011
#pragma once

#include "engine/context.h"
#include "engine/engine.h"
#include "engine/root_content.h"

namespace coppice::engine {

RootReport make_root(EngineContext& context, const RootRequest& request, ResultSink& sink);

struct HomeRoots {
  std::string content, history;
  std::vector<RootReport::Table> tables;
};
// Both roots of what was read with its history. ContentMoved when it cannot be read any more.
HomeRoots roots_of(EngineContext& context, const HomeContent& content, ResultSink& sink);

// An error that says that what was read in the catalog is not there any more: look again.
bool is_moved(const Error& error);

}  // namespace coppice::engine
