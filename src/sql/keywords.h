// Keywords: the words of PostgreSQL 15's grammar.
//
// Source   PostgreSQL 15, src/include/parser/kwlist.h; a test compares both lists with the scanner.
#pragma once

#include <span>
#include <string_view>

namespace coppice::sql {

// Words that cannot stand everywhere as a bare name: reserved ones and those of types and
// functions.
std::span<const std::string_view> quoted_keywords();
// Words that can: only their place in the grammar makes them keywords.
std::span<const std::string_view> unreserved_keywords();

// True for a lower-case word of quoted_keywords().
bool needs_quotes(std::string_view word);

}  // namespace coppice::sql
