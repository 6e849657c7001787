#include "pg/row_stream.h"

#include <utility>

#include "pg/connection_state.h"
#include "pg/conninfo.h"

namespace coppice::pg {

void RowStream::Free::operator()(pg_result* result) const { PQclear(result); }

RowStream::RowStream(Connection& connection, const std::string& sql, Parameters parameters)
    : state_(internal_state(connection)) {
  internal::require_free(state_, sql);
  const internal::ParameterPointers pointers(parameters);
  if (PQsendQueryParams(state_.raw(), sql.c_str(), pointers.count(), nullptr, pointers.data(),
                        nullptr, nullptr, 0) != 1) {
    internal::throw_failure(state_, nullptr);
  }
  COPPICE_ASSERT(PQsetSingleRowMode(state_.raw()) == 1);
  state_.busy_with = "a row stream";
  receive();  // so that columns() is known and a wrong statement fails here
  if (current_) columns_ = internal::columns_of(current_.get());
  values_.resize(columns_.size());
}

RowStream::~RowStream() {
  if (!open_) return;
  internal::request_cancel(state_);
  finish();
}

void RowStream::finish() noexcept {
  internal::drain(state_);
  state_.busy_with = nullptr;
  open_ = false;
}

// Reads one row, or the end: then open_ is false and current_ is the empty last result.
void RowStream::receive() {
  current_.reset(PQgetResult(state_.raw()));
  if (PQresultStatus(current_.get()) == PGRES_SINGLE_TUPLE && !state_.notice_failure) return;
  if (state_.notice_failure) internal::request_cancel(state_);
  finish();
  internal::rethrow_notice_failure(state_);
  const Result last = internal::checked(state_, current_.release());
  command_tag_ = last.command_tag();
  columns_ = columns_.empty() ? last.columns() : std::move(columns_);
}

bool RowStream::next() {
  if (!std::exchange(first_pending_, false) && open_) receive();
  if (!open_) return false;
  for (std::size_t i = 0; i < values_.size(); ++i) {
    const int column = static_cast<int>(i);
    if (PQgetisnull(current_.get(), 0, column) != 0) {
      values_[i] = std::nullopt;
    } else {
      values_[i].emplace(PQgetvalue(current_.get(), 0, column),
                         static_cast<std::size_t>(PQgetlength(current_.get(), 0, column)));
    }
  }
  return true;
}

Cursor::Cursor(Connection& connection, const std::string& sql, Parameters parameters,
               const std::string& name)
    : connection_(connection), name_(quote_identifier(name)) {
  COPPICE_ASSERT(connection.in_transaction());
  connection.exec_params("DECLARE " + name_ + " NO SCROLL CURSOR FOR " + sql, parameters);
}

Cursor::~Cursor() {
  try {
    if (connection_.in_transaction()) connection_.exec("CLOSE " + name_);
  } catch (...) {
    // In a failed or ended transaction the cursor is gone already.
  }
}

Result Cursor::fetch(int count) {
  COPPICE_ASSERT(count > 0);
  return connection_.exec("FETCH FORWARD " + std::to_string(count) + " FROM " + name_);
}

}  // namespace coppice::pg
