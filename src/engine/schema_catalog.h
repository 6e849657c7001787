// The schema that a home has now, as a SchemaModel.
//
// Model    Columns whose fill is not published yet are not part of it. Definitions of views and
//          indexes are as their makers wrote them, unless a rename made that text stale: then they
//          are what PostgreSQL says.
#pragma once

#include "engine/context.h"
#include "engine/schema_model.h"

namespace coppice::engine {

SchemaModel schema_in_catalog(EngineContext& context);

}  // namespace coppice::engine
