// References: the tables, functions and columns that a statement names.
//
// Model    What the text says, not what it means: no catalog is asked. A table's name that stands
//          for a WITH query in whose scope it lies is not a table.
// Units    Locations are in the nodes, byte offsets into the statement's text.
#pragma once

#include <vector>

#include "sql/tree.h"

namespace coppice::sql {

struct RelationUse {
  PgQuery__RangeVar* relation = nullptr;
  // True for what is written or defined (INSERT INTO …, CREATE TABLE …), false for what is read.
  bool is_target = false;
};

// In the order of the tree. DROP names its objects otherwise: object_name in read.h.
std::vector<RelationUse> collect_relations(Node* root);
std::vector<PgQuery__FuncCall*> collect_function_calls(Node* root);
std::vector<PgQuery__ColumnRef*> collect_column_refs(Node* root);

}  // namespace coppice::sql
