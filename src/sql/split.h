// Splitter: cuts a script into statements without parsing them.
//
// Model    A statement ends at a ";" outside quotes, dollar quotes, comments, parentheses and the
//          BEGIN ATOMIC … END body of an SQL function. Its text starts at its first token and ends
//          with its last one: comments and whitespace around it are not part of it. Statements
//          without tokens are left out. Only lexical rules are applied, so a script of any size
//          streams statement by statement in constant memory.
// Threads  A plain value over borrowed text.
// Errors   None: an unterminated quote is part of the last statement, parsing it reports it.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "sql/lexer.h"
#include "sql/source_text.h"

namespace coppice::sql {

struct StatementText {
  std::string_view text;
  std::size_t offset = 0;   // of text in the script, bytes
  LineColumn start = {};    // of text in the script
  bool terminated = false;  // by a ";"

  SourceText source() const { return {text, start}; }
};

class Splitter {
 public:
  explicit Splitter(std::string_view script, LineColumn start = {})
      : lexer_(script), start_(start) {}

  std::optional<StatementText> next();

 private:
  LineColumn place_of(std::size_t offset);

  Lexer lexer_;
  LineColumn start_;
  std::size_t counted_ = 0;  // start_ is the place of this byte
};

std::vector<StatementText> split(std::string_view script);

// True when `text` ends inside a statement: an open quote, comment or parenthesis, or no ";".
bool is_incomplete(std::string_view text);

}  // namespace coppice::sql
