// ALTER COLUMN … ADD GENERATED, SET GENERATED, RESTART, DROP IDENTITY.
#pragma once

#include "engine/alter_steps.h"

namespace coppice::engine {

// Existing rows keep their values; the numbers go on after the largest.
void add_identity(const Altering& altering, SchemaChange& change, catalog::ColumnInfo& column,
                  const PgQuery__AlterTableCmd& command);
void set_identity(const Altering& altering, SchemaChange& change, catalog::ColumnInfo& column,
                  const PgQuery__AlterTableCmd& command);
void drop_identity(const Altering& altering, SchemaChange& change, catalog::ColumnInfo& column);

}  // namespace coppice::engine
