// Statement tools: the rewriting that every statement of a user goes through.
//
// Model    Trees are changed in place. Names of media types get their schema; "table:version"
//          becomes the view over that version.
// Errors   With line and column; kNotFound for unknown tables and versions.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "engine/context.h"
#include "engine/engine.h"
#include "sql/names.h"
#include "sql/parse.h"

namespace coppice::engine {

// image, video, … in casts and definitions become coppice.image, ….
void qualify_media_types(sql::Message* root, sql::Arena& arena);

// Every "films.film:3" that is read becomes a view over that version, made on first use.
void resolve_versions(EngineContext& context, sql::Statement& statement);

// Parses SQL that was made from a statement: its $1, $2 … keep their numbers, and its places are
// those of the same words in that statement's text.
sql::Statement parse_generated(std::string_view text, const sql::Statement& made_from);
// Where the same token, counted in the same way, stands in another text; -1 when it does not.
std::ptrdiff_t place_in_source(std::string_view sent, std::size_t offset, std::string_view source);

// Values for the statement's parameters, in the order of $1, $2, ….
std::vector<pg::Parameter> bind_parameters(const sql::Statement& statement,
                                           const SqlParameters& parameters);

// The table that a writing statement names; refuses versions, views and foreign tables by name.
catalog::TablePointer target_table(EngineContext& context, const sql::Statement& statement,
                                   const PgQuery__RangeVar& relation);

// The same for what changes rows: those of a materialized view come from its query.
catalog::TablePointer written_table(EngineContext& context, const sql::Statement& statement,
                                    const PgQuery__RangeVar& relation);
void refuse_written_view(EngineContext& context, const catalog::TableInfo& table,
                         const sql::Statement* statement, std::ptrdiff_t location);

// Points the relation at the table's working view, under the name that the user calls it.
void use_working_view(const catalog::TableInfo& table, PgQuery__RangeVar& relation,
                      sql::Arena& arena);

// The visible column `name`, or an error at `location` with the nearest name.
const catalog::ColumnInfo& column_named(const catalog::TableInfo& table, const std::string& name,
                                        const sql::Statement& statement, std::ptrdiff_t location);

// "schema"."table", physical columns joined: small pieces of generated SQL.
std::string identifier_list(const std::vector<std::string>& names);

// Pieces of a statement that the deparser only writes as parts of one.
std::string from_item_text(sql::Node* item);              // "films.film AS f JOIN …"
std::string with_text(PgQuery__WithClause& with_clause);  // "WITH x AS (…) "

// Computed columns whose value depends, directly or through others, on one of `changed` names.
std::vector<const catalog::ColumnInfo*> affected_columns(const catalog::TableInfo& table,
                                                         const std::set<std::string>& changed);

}  // namespace coppice::engine
