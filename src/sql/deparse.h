// Deparse: syntax trees back to SQL text.
//
// Model    libpg_query's deparser writes the text; then the text is parsed again and compared with
//          the tree. That is not for show: the deparser drops parentheses ((a + b) AT TIME ZONE c),
//          mixes up SET lists and empties options of COPY, without an error. When the first text
//          reads back differently, a second one is written piece by piece with every operand in its
//          own parentheses (careful_text.h). SQL that would mean something else than the tree never
//          leaves this component.
//          Comments and spelling are lost: int becomes integer, fps => 1 becomes fps := 1.
// Units    About 60 us for a small statement, half of it for the comparison.
// Threads  Any thread with 256 KiB of stack left.
// Errors   kUnsupported for statements that Coppice does not have, and when no text reads back as
// this tree (UNIQUE NULLS NOT DISTINCT, COMPRESSION,
//          BEGIN ATOMIC bodies and other forms that no rewritten statement needs): use text() of
//          the Statement then. Also when the tree is too deep.
#pragma once

#include <string>

#include "sql/parse.h"

namespace coppice::sql {

std::string deparse(const Node* statement);
std::string deparse_expression(const Node* expression);

}  // namespace coppice::sql
