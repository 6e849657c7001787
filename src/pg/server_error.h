// ServerError: an error that a PostgreSQL server reported, with all that it said.
//
// Model    The SQLSTATE decides the ErrorCode (code_of_sqlstate). message() is the primary message
//          and, after a colon, the detail; hint() is the server's hint, or ours when it gave none.
//          What the server cannot say because the connection is gone is a plain
//          Error{kUnavailable}.
// Units    `position` counts characters of the statement from 1; 0 means none.
// Source   PostgreSQL documentation, appendix A (error codes) and 55.8 (error message fields).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace coppice::pg {

struct ServerErrorFields {
  std::string sqlstate;
  std::string severity;
  std::string primary;
  std::string detail;
  std::string hint;
  std::string context;
  std::string schema;
  std::string table;
  std::string column;
  std::string constraint;
  int position = 0;
  std::optional<std::size_t> statement_index;  // in a Batch: which statement failed, from 0
};

class ServerError : public Error {
 public:
  explicit ServerError(ServerErrorFields fields);

  const std::string& sqlstate() const { return fields_.sqlstate; }
  const ServerErrorFields& fields() const { return fields_; }

 private:
  ServerErrorFields fields_;
};

ErrorCode code_of_sqlstate(std::string_view sqlstate);

// A prepared statement that a change of its table has made invalid, or that DEALLOCATE took away.
bool is_stale_plan(const ServerError& error);

// A serialization failure (40001), a deadlock (40P01) or a stale plan: the same transaction may
// succeed if run again from its beginning.
bool is_retryable(const ServerError& error);

}  // namespace coppice::pg
