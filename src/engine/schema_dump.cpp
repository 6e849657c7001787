#include "engine/schema_dump.h"

#include "engine/schema_catalog.h"
#include "engine/schema_text.h"

namespace coppice::engine {

std::string dump_schema(EngineContext& context) { return schema_text(schema_in_catalog(context)); }

}  // namespace coppice::engine
