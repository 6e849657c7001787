// Lines of an input, of bounded length: an endless line is an error, not all the memory there is.
#pragma once

#include <cstddef>
#include <istream>
#include <string>

namespace coppice::engine {

constexpr std::size_t kLongestLineBytes = 256 << 20;

// Reads a line, without its end, into `line`; false at the end of the input. Throws kInvalidInput
// that begins with `where` ("rows.csv, line 3") when the line is longer than `most_bytes`.
bool read_line(std::istream& input, std::string& line, const std::string& where,
               std::size_t most_bytes = kLongestLineBytes);

}  // namespace coppice::engine
