// The list of engine functions, from the same table as their stubs in PostgreSQL.
#pragma once

#include "engine/result_sink.h"

namespace coppice::engine {

void list_functions(ResultSink& sink);

}  // namespace coppice::engine
