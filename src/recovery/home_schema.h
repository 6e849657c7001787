// What the database of a home has besides the catalog and the rows: sequences, functions of
// PostgreSQL, indexes, views, rights and comments, as SQL that makes them again.
//
// Model    Written in the transaction of a backup's point; made again on a catalog that is loaded.
// Source   docs/formats/backup.md, "Home"
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backup/tree.h"
#include "engine/root_content.h"

namespace coppice::recovery {

// An aggregate of the user; PostgreSQL has no function that prints one.
struct AggregateText {
  std::int64_t oid = 0;
  std::string name;  // with the types of its arguments
  std::string sql;
  std::vector<std::string> functions;  // that it is made of
};
std::vector<AggregateText> aggregates_of(pg::Connection& connection);

void write_schema(engine::EngineContext& context, const engine::HomeContent& content,
                  TreeBuilder& home);

// Schemas and sequences, before tables; functions and views, and all rights, after them.
void make_schemas(engine::EngineContext& context, const Tree& home);
void make_sequences(pg::Connection& connection, const Tree& home);
void set_sequences(pg::Connection& connection, const Tree& home);
void make_early_functions(engine::EngineContext& context, const Tree& home);
void make_views(engine::EngineContext& context, const Tree& home, ResultSink& sink);

}  // namespace coppice::recovery
