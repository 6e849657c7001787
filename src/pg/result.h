// Result: what one statement gave, whole and in memory.
//
// Model    Rows of values in PostgreSQL's text form; a NULL is nullopt. For results that may be
//          large use RowStream, Cursor or CopyOut instead.
// Units    Rows and columns count from 0.
// Threads  A value that owns its rows; views into it live as long as it does.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct pg_result;

namespace coppice::pg {

using TypeOid = std::uint32_t;

// A column as the server describes it. For a column of a domain PostgreSQL names the type beneath;
// the table and its column, when the value comes straight from one, lead to the domain.
struct Column {
  std::string name;
  TypeOid type_oid = 0;
  int type_modifier = -1;
  std::string type_name;        // as format_type() says; filled by Connection::describe only
  std::uint32_t table_oid = 0;  // 0: computed
  int table_column = 0;         // attribute number there
};

class Result {
 public:
  explicit Result(pg_result* owned);
  Result(Result&&) noexcept = default;
  Result& operator=(Result&&) noexcept = default;
  ~Result();

  int rows() const { return rows_; }
  int column_count() const { return column_count_; }
  std::vector<Column> columns() const;

  bool is_null(int row, int column) const;
  std::optional<std::string_view> value(int row, int column) const;
  // The same for values that cannot be NULL: a NULL throws kInternal.
  std::string_view text(int row, int column) const;
  std::int64_t integer(int row, int column) const;
  bool boolean(int row, int column) const;

  // Rows inserted, updated, deleted, selected or copied; 0 for other statements.
  std::uint64_t affected_rows() const;
  std::string_view command_tag() const;  // "INSERT 0 3"

 private:
  struct Free {
    void operator()(pg_result* result) const;
  };
  void check_place(int row, int column) const;

  std::unique_ptr<pg_result, Free> result_;
  int rows_ = 0;
  int column_count_ = 0;
};

namespace internal {
std::vector<Column> columns_of(const pg_result* result);
}

}  // namespace coppice::pg
