// SourceText: where in the user's text an SQL error lies, shown as psql shows it.
//
// Model    A piece of SQL and the place of its first byte in the script it was cut from.
//          error_at gives "<what> (line 3, column 14)", then that line and a caret under the place.
// Units    Offsets are bytes into `text`; lines and columns count from 1, columns in characters.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/text.h"

namespace coppice::sql {

struct SourceText {
  std::string_view text;
  LineColumn start = {};

  LineColumn place(std::size_t offset) const;
};

// A negative offset means that the place is not known: no line, no caret.
Error error_at(ErrorCode code, const SourceText& source, std::ptrdiff_t offset,
               const std::string& what, std::string hint = {});

// The same error at this place, unless it knows its own or the place is not known.
Error placed(const Error& error, const SourceText& source, std::ptrdiff_t offset);
// The same error at this place instead of one in another text, which only the program has seen.
Error moved(const Error& error, const SourceText& source, std::ptrdiff_t offset);

// The byte offset of character number `index` (from 0) of UTF-8 text, at most text.size().
std::size_t byte_offset_of_character(std::string_view text, std::size_t index);

// Throws Error{kInvalidInput} that names the byte when `text` is not UTF-8 or holds a NUL.
void check_encoding(const SourceText& source);

}  // namespace coppice::sql
