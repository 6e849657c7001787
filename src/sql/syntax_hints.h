// Syntax hints: what the user probably meant where PostgreSQL's grammar gave up.
//
// Model    Looks at the tokens around the place of a syntax error for mistakes that are known:
//          versions outside quotes, computed columns in another dialect's words, other databases'
//          statements.
#pragma once

#include <string>
#include <string_view>

namespace coppice::sql {

// `offset` is the byte where the parser stopped. Empty when nothing is known.
std::string syntax_hint(std::string_view statement, std::size_t offset);

}  // namespace coppice::sql
