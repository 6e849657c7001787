// What the parts of Rehearsal share (rehearsal.cpp, rehearsal_load.cpp).
#pragma once

#include <cstdint>
#include <string>

#include "engine/context.h"
#include "sql/parse.h"

namespace coppice::engine {

// The sample's rows of a query, or of a view's parent.
inline constexpr const char* kSample = "pg_temp.coppice_sample";

std::uint64_t random_number();
// The query as PostgreSQL is to see it.
std::string resolved_text(EngineContext& context, const sql::Statement& query);
std::int64_t count_rows(EngineContext& context, const std::string& query);
// Whether rows of the table, or of views over it, need workers.
bool uses_workers(EngineContext& context, const catalog::TableInfo& table);

}  // namespace coppice::engine
