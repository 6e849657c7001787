// Parameters: `$name` in SQL text, bound by name, never spliced.
//
// Model    PostgreSQL reads $1, $2 … only. numbered_parameters replaces each $name outside strings,
//          comments and dollar quotes by the number of its first appearance; a $1 that the user
//          wrote is the parameter named "1" and is numbered in the same way (but in CREATE
//          statements $1 is left alone: there it is a function's argument). parse() does this for
//          every statement, so each statement binds just what it uses.
// Units    Offsets are bytes.
// Errors   check_parameters throws kUsage, with line, column and the nearest name.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sql/source_text.h"

namespace coppice::sql {

class NumberedText {
 public:
  // With `renumber` false the text stays as it is and has no names.
  explicit NumberedText(std::string_view text, bool renumber = true);

  const std::string& text() const { return text_; }
  // names()[n - 1] is the name of $n.
  const std::vector<std::string>& names() const { return names_; }
  // The offset in the user's text of an offset in text().
  std::size_t source_offset(std::size_t offset) const;

 private:
  struct Change {
    std::size_t begin;         // in text_
    std::size_t end;           // in text_
    std::size_t source_begin;  // in the user's text
    std::size_t source_end;
  };

  std::size_t number_of(std::string_view name);

  std::string text_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::size_t> numbers_;
  std::vector<Change> changes_;
};

struct ParameterUse {
  std::string name;    // without the $
  std::size_t offset;  // of the $
};

// Every parameter of a script in the order of the text, repetitions included.
std::vector<ParameterUse> find_parameters(std::string_view script);

// Every parameter that the script uses must be given, and every given one be used.
void check_parameters(std::string_view script, const std::vector<std::string>& given);

}  // namespace coppice::sql
