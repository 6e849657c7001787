// JsonLines: lines of JSON objects as the data of a COPY in PostgreSQL's text format.
//
// Model    The keys of the first object name the columns; a later object may leave some out. A line
//          gives one line of the COPY, so that the server's line numbers are those of the objects.
//          Numbers, and objects and arrays for json columns, go over digit for digit: nothing is
//          read into a double. Objects may be nested as deep as memory allows; no call is nested.
// Errors   kInvalidInput with the name of the input and the line.
// Threads  One thread.
#pragma once

#include <cstdint>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/model.h"
#include "engine/json_row.h"

namespace coppice::engine {

class JsonLines {
 public:
  JsonLines(std::istream& input, std::string name, const catalog::TableInfo& table);

  // Of the first object, in its order; empty when there is no object.
  const std::vector<std::string>& columns() const { return columns_; }
  // The next piece of the COPY's data; empty at the end. Lasts until the next call.
  std::string_view next();
  // The line of the input that holds the object of this number, counted from 1.
  std::size_t line_of(std::size_t object) const;

 private:
  bool read_object();
  void append_row();

  std::istream& input_;
  std::string name_;
  std::vector<std::string> columns_;
  JsonRow row_;
  std::size_t line_ = 0;
  std::size_t objects_ = 0;
  std::vector<std::size_t> blank_before_;  // for each blank line: how many objects came before it
  bool have_object_ = false;
  std::string piece_;
};

}  // namespace coppice::engine
