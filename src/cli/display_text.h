// Display text: what a value looks like in a table of a terminal.
//
// Units    Widths are terminal columns: a Chinese character takes two, a combining accent none.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace coppice::cli {

// Control characters as \n, \t, \x1b, bytes that are not UTF-8 as \xff: a value can neither break
// the table nor steer the terminal.
std::string printable(std::string_view text);

// The width of printable text.
std::size_t display_width(std::string_view text);

// `text` if it fits `width`, else its beginning and "…".
std::string cut_to_width(std::string_view text, std::size_t width);

}  // namespace coppice::cli
