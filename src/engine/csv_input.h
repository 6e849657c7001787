// CSV from outside on its way into COPY.
//
// Model    Until PostgreSQL 18 a line of \. alone ends the data of a COPY even in CSV: what stands
//          behind it would be dropped without a word. quote_end_markers() puts such a value into
//          quotes, as PostgreSQL's own COPY TO does; it is data then.
// Errors   kInvalidInput with the name of the input.
// Threads  One thread.
#pragma once

#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include "engine/copy.h"

namespace coppice::engine {

// For CSV whose quote and escape are ", the default.
DataSource quote_end_markers(DataSource source);

// The first line of the input: the bytes, line end included, and the names in it.
struct CsvHeader {
  std::string record;
  std::vector<std::string> names;
};
CsvHeader read_csv_header(std::istream& input, const std::string& input_name);

}  // namespace coppice::engine
