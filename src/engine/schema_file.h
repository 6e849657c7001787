// A schema as a file describes it.
//
// Model    The file is a list of CREATE SCHEMA, TABLE, VIEW and INDEX, ALTER TABLE that adds
// columns
//          and constraints or sets what a column has, COMMENT and GRANT, in any order. It says what
//          shall be there, so nothing in it drops, renames or writes rows.
// Errors   With line and column of the file: kSyntax, kUnsupported for statements that describe
//          nothing, kNotFound for a table it does not describe, kAlreadyExists for one it
//          describes twice.
#pragma once

#include <string_view>

#include "engine/schema_model.h"

namespace coppice::engine {

SchemaModel schema_in_file(std::string_view text);

}  // namespace coppice::engine
