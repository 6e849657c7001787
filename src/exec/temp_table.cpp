#include "exec/temp_table.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "pg/copy.h"

namespace coppice::exec {
namespace {

constexpr std::size_t kFlushBytes = 1 << 20;
constexpr std::size_t kAnalyzedRows = 1000;

void append_escaped(std::string& buffer, std::string_view value) {
  for (const char character : value) {
    switch (character) {
      case '\\':
        buffer += "\\\\";
        break;
      case '\t':
        buffer += "\\t";
        break;
      case '\n':
        buffer += "\\n";
        break;
      case '\r':
        buffer += "\\r";
        break;
      default:
        buffer += character;
    }
  }
}

std::string unused_name(pg::Connection& connection) {
  const pg::Result result = connection.exec(
      "SELECT coalesce(max(substr(relname, 14)::bigint), 0) + 1 FROM pg_catalog.pg_class WHERE "
      "relnamespace = pg_catalog.pg_my_temp_schema() AND relname ~ '^coppice_rows_[0-9]+$'");
  return "coppice_rows_" + std::string(result.text(0, 0));
}

}  // namespace

TempTable::TempTable(pg::Connection& connection, const std::vector<std::string>& column_types)
    : connection_(&connection), name_(unused_name(connection)), column_count_(column_types.size()) {
  std::string columns;
  for (std::size_t i = 0; i < column_types.size(); ++i) {
    columns += fmt::format("{}{} {}", i == 0 ? "" : ", ", column(i), column_types[i]);
  }
  // The session may be read only by default.
  connection.exec(
      fmt::format("BEGIN READ WRITE; CREATE TEMP TABLE {} ({}); COMMIT", name_, columns));
}

TempTable::TempTable(TempTable&& other) noexcept
    : connection_(std::exchange(other.connection_, nullptr)),
      name_(std::move(other.name_)),
      column_count_(other.column_count_),
      buffer_(std::move(other.buffer_)),
      row_count_(other.row_count_) {}

TempTable::~TempTable() {
  if (!connection_) return;
  try {
    connection_->exec("BEGIN READ WRITE; DROP TABLE IF EXISTS pg_temp." + name_ + "; COMMIT");
  } catch (const std::exception&) {
    // The session is lost, or in a transaction that failed; the table goes with the session.
  }
}

void TempTable::append(Row values) {
  COPPICE_ASSERT(values.size() == column_count_);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) buffer_ += '\t';
    if (values[i]) {
      append_escaped(buffer_, *values[i]);
    } else {
      buffer_ += "\\N";
    }
  }
  buffer_ += '\n';
  ++row_count_;
  if (buffer_.size() >= kFlushBytes) flush();
}

void TempTable::flush() {
  if (buffer_.empty()) return;
  pg::CopyIn copy(*connection_, "COPY pg_temp." + name_ + " FROM STDIN");
  copy.write(buffer_);
  copy.finish();
  buffer_.clear();
}

void TempTable::finish() {
  flush();
  // Nobody else can look into a TEMP table: without this the planner takes it for small.
  if (row_count_ >= kAnalyzedRows) connection_->exec("ANALYZE pg_temp." + name_);
}

void TempTable::clear() {
  buffer_.clear();
  row_count_ = 0;
  // TRUNCATE is not allowed in a READ ONLY transaction; DELETE from a TEMP table is.
  connection_->exec("DELETE FROM pg_temp." + name_);
}

}  // namespace coppice::exec
