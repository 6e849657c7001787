// The schema of a home as SQL that makes the same one in another home.
//
// Model    Written so that `apply` on an empty home and another dump give the same text again.
#pragma once

#include <string>

#include "engine/context.h"

namespace coppice::engine {

std::string dump_schema(EngineContext& context);

}  // namespace coppice::engine
