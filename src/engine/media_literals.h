// File names in queries: width('poster.jpg') reads that file.
#pragma once

#include <vector>

#include "engine/context.h"
#include "exec/binder.h"
#include "sql/parse.h"

namespace coppice::engine {

// Takes each file into the media store and puts its media name in the literal's place.
void take_media_literals(EngineContext& context, sql::Statement& statement,
                         const std::vector<exec::MediaLiteral>& literals);

}  // namespace coppice::engine
