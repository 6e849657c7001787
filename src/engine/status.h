// status and doctor: what a home holds, and whether it is well.
//
// Model    status is cheap: a few round trips and no walk over files. Its rows are counted in
//          tables whose store is at most 1 MiB and estimated in others; its media are those taken
//          in by users, results of functions not counted. doctor takes seconds: it starts a
//          function worker and reads a sample of media.
#pragma once

#include <vector>

#include "engine/context.h"
#include "engine/engine.h"

namespace coppice::engine {

StatusReport make_status(EngineContext& context);
std::vector<Finding> run_doctor(EngineContext& context);

}  // namespace coppice::engine
