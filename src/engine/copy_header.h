// HEADER MATCH of COPY … FROM: the first line must name the columns.
//
// Model    The server cannot look: its columns have the store's names. So the line is read here,
//          compared, and passed on to the server, which skips it.
// Errors   kInvalidInput with the words of PostgreSQL.
#pragma once

#include <string>
#include <vector>

#include "engine/copy.h"

namespace coppice::engine {

struct HeaderForm {
  bool csv = false;
  char delimiter = '\t';
  char quote = '"';
  char escape = '"';
};

// `source`, after its first line was compared with `columns`.
DataSource with_checked_header(DataSource source, const HeaderForm& form,
                               const std::vector<std::string>& columns, const std::string& table);

}  // namespace coppice::engine
