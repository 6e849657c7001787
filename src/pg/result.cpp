#include "pg/result.h"

#include <libpq-fe.h>

#include <charconv>

#include "base/error.h"

namespace coppice::pg {

void Result::Free::operator()(pg_result* result) const { PQclear(result); }

Result::Result(pg_result* owned)
    : result_(owned), rows_(PQntuples(owned)), column_count_(PQnfields(owned)) {}

Result::~Result() = default;

std::vector<Column> Result::columns() const { return internal::columns_of(result_.get()); }

void Result::check_place(int row, int column) const {
  COPPICE_ASSERT(row >= 0 && row < rows_ && column >= 0 && column < column_count_);
}

bool Result::is_null(int row, int column) const {
  check_place(row, column);
  return PQgetisnull(result_.get(), row, column) != 0;
}

std::optional<std::string_view> Result::value(int row, int column) const {
  if (is_null(row, column)) return std::nullopt;
  return std::string_view(PQgetvalue(result_.get(), row, column),
                          static_cast<std::size_t>(PQgetlength(result_.get(), row, column)));
}

std::string_view Result::text(int row, int column) const {
  if (const auto found = value(row, column)) return *found;
  throw Error(ErrorCode::kInternal, std::string("the column ") + PQfname(result_.get(), column) +
                                        " is NULL where a value must be");
}

std::int64_t Result::integer(int row, int column) const {
  const std::string_view digits = text(row, column);
  std::int64_t number = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size()) return number;
  throw Error(ErrorCode::kInternal, std::string("the column ") + PQfname(result_.get(), column) +
                                        " is no integer: " + std::string(digits));
}

bool Result::boolean(int row, int column) const { return text(row, column) == "t"; }

std::uint64_t Result::affected_rows() const {
  const std::string_view digits = PQcmdTuples(result_.get());
  std::uint64_t count = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), count);
  return count;
}

std::string_view Result::command_tag() const { return PQcmdStatus(result_.get()); }

namespace internal {

std::vector<Column> columns_of(const pg_result* result) {
  std::vector<Column> columns(static_cast<std::size_t>(PQnfields(result)));
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const int index = static_cast<int>(i);
    columns[i].name = PQfname(result, index);
    columns[i].type_oid = PQftype(result, index);
    columns[i].type_modifier = PQfmod(result, index);
    columns[i].table_oid = PQftable(result, index);
    columns[i].table_column = PQftablecol(result, index);
  }
  return columns;
}

}  // namespace internal
}  // namespace coppice::pg
