// Plain schema: what a home has, as SQL for a PostgreSQL that knows nothing of Coppice.
//
// Model    Tables and materialized views become tables with all of their columns; computed columns
//          become columns that have values. What cannot be without Coppice is left out, and named:
//          views that call engine functions or read older versions, and what reads those.
// Threads  As the context; in the transaction of a backup's point.
// Source   docs/formats/backup.md, "Home"; docs/formats/export.md
#pragma once

#include "backup/tree.h"
#include "engine/root_content.h"

namespace coppice::recovery {

// "plain" of the home's tree.
void write_plain_schema(engine::EngineContext& context, const engine::HomeContent& content,
                        TreeBuilder& home);

}  // namespace coppice::recovery
