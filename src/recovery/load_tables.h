// Tables of a backup, made again in the store of a home whose catalog is loaded.
#pragma once

#include "backup/tree.h"
#include "engine/context.h"

namespace coppice::recovery {

struct LoadTimes {
  double rows = 0, indexes = 0;  // seconds
};

// Each in a transaction of its own; those that are there already are left.
LoadTimes load_tables(engine::EngineContext& context, const repo::Repository& repository,
                      const Tree& home, ResultSink& sink);

}  // namespace coppice::recovery
