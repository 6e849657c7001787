// Schema text: the pieces of a schema as SQL that people read and `apply` reads back.
//
// Model    Names in the schema public are written without it. A constraint stands at its column
//          when it is of that column alone and has the name that PostgreSQL would choose.
// Threads  Pure functions.
#pragma once

#include <string>

#include "engine/schema_model.h"

namespace coppice::engine {

// "film" of public.film, "films.film" of others.
std::string shown_name(const sql::QualifiedName& name);
std::string shown_column(const sql::QualifiedName& table, const std::string& column);

// "year integer DEFAULT 1900 NOT NULL", without constraints but NOT NULL.
std::string column_text(const ColumnDraft& column, bool with_not_null = true);
// "CONSTRAINT film_pkey PRIMARY KEY (id)"; without a name "PRIMARY KEY (id)".
// "GENERATED ALWAYS AS IDENTITY (start 10)"
std::string identity_text(const ColumnDraft& column);
std::string constraint_text(const ConstraintDraft& constraint);
// In several lines, without the ";".
std::string create_table_text(const TableModel& table);
std::string create_materialized_text(const TableModel& view);
// A definition as CREATE INDEX with its name.
std::string create_index_text(const sql::QualifiedName& table, const IndexModel& index);
std::string create_view_text(const ViewModel& view, bool replace);
std::string grant_text(const GrantModel& grant, bool revoke);
// `what` is "TABLE films.film", "COLUMN films.film.year".
std::string comment_text(const std::string& what, const std::optional<std::string>& comment);
std::string retention_text(const sql::QualifiedName& table, const std::string& retention);

// The whole schema, in an order in which it can be made.
std::string schema_text(const SchemaModel& schema);

}  // namespace coppice::engine
