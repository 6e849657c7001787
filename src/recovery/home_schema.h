// What the database of a home has besides the catalog and the rows: sequences, functions of
// PostgreSQL, indexes, views, rights and comments, as SQL that makes them again.
//
// Model    Written in the transaction of a backup's point; made again on a catalog that is loaded.
// Source   docs/formats/backup.md, "Home"
#pragma once

#include "backup/tree.h"
#include "engine/root_content.h"

namespace coppice::recovery {

void write_schema(engine::EngineContext& context, const engine::HomeContent& content,
                  TreeBuilder& home);

// Schemas and sequences, before tables; functions and views, and all rights, after them.
void make_schemas(engine::EngineContext& context, const Tree& home);
void make_sequences(pg::Connection& connection, const Tree& home);
void set_sequences(pg::Connection& connection, const Tree& home);
void make_early_functions(engine::EngineContext& context, const Tree& home);
void make_views(engine::EngineContext& context, const Tree& home, ResultSink& sink);

}  // namespace coppice::recovery
