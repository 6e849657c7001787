// SET, RESET and SHOW of the settings that a session may change.
#pragma once

#include "engine/context.h"
#include "sql/parse.h"

namespace coppice::engine {

void set_session(EngineContext& context, sql::Statement& statement);
void show_session(EngineContext& context, sql::Statement& statement, ResultSink& sink);

}  // namespace coppice::engine
