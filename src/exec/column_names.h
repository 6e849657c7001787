// The name PostgreSQL gives to a column of the select list that has no alias.
//
// Source   PostgreSQL 15, FigureColname in src/backend/parser/parse_target.c.
#pragma once

#include <string>

#include "sql/tree.h"

namespace coppice::exec {

std::string default_column_name(const sql::Node* expression);

}  // namespace coppice::exec
