// Plain views, and what is said about tables and views: GRANT and COMMENT.
#pragma once

#include "engine/context.h"
#include "sql/parse.h"

namespace coppice::engine {

void create_view(EngineContext& context, sql::Statement& statement, ResultSink& sink);
void drop_views(EngineContext& context, sql::Statement& statement, ResultSink& sink);

// GRANT and REVOKE of SELECT on tables and views, and USAGE on schemas.
void grant(EngineContext& context, sql::Statement& statement);
void comment(EngineContext& context, sql::Statement& statement);

}  // namespace coppice::engine
