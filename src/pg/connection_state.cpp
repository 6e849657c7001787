#include "pg/connection_state.h"

#include <array>
#include <cstdlib>
#include <utility>

#include "base/text.h"

namespace coppice::pg::internal {
namespace {

constexpr std::size_t kMostParameters = 65535;  // the protocol counts them in 16 bits

std::string field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? std::string() : std::string(text);
}

ServerErrorFields read_fields(const PGresult* result) {
  ServerErrorFields fields;
  fields.sqlstate = field(result, PG_DIAG_SQLSTATE);
  fields.severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  fields.primary = field(result, PG_DIAG_MESSAGE_PRIMARY);
  fields.detail = field(result, PG_DIAG_MESSAGE_DETAIL);
  fields.hint = field(result, PG_DIAG_MESSAGE_HINT);
  fields.context = field(result, PG_DIAG_CONTEXT);
  fields.schema = field(result, PG_DIAG_SCHEMA_NAME);
  fields.table = field(result, PG_DIAG_TABLE_NAME);
  fields.column = field(result, PG_DIAG_COLUMN_NAME);
  fields.constraint = field(result, PG_DIAG_CONSTRAINT_NAME);
  fields.position = std::atoi(field(result, PG_DIAG_STATEMENT_POSITION).c_str());
  return fields;
}

// libpq's sentences come with advice over several lines; the first line says what happened.
std::string first_line(const char* text) {
  const std::string_view whole = trim(text == nullptr ? "" : text);
  return std::string(whole.substr(0, whole.find('\n')));
}

// A COPY that was sent through exec(): end it, so that the connection can be used again.
[[noreturn]] void refuse_copy(ConnectionState& state, ExecStatusType status) {
  if (status == PGRES_COPY_IN) PQputCopyEnd(state.raw(), "COPY FROM STDIN is not possible here");
  if (status == PGRES_COPY_OUT) request_cancel(state);
  drain(state);
  throw Error(ErrorCode::kUnsupported, "COPY between client and server is not possible here",
              "use CopyIn or CopyOut");
}

}  // namespace

ParameterPointers::ParameterPointers(Parameters parameters) {
  if (parameters.size() > kMostParameters) {
    throw Error(ErrorCode::kInvalidInput,
                "a statement has " + std::to_string(parameters.size()) +
                    " parameters; PostgreSQL takes at most " + std::to_string(kMostParameters),
                "pass arrays and unnest() them, or use COPY");
  }
  pointers_.reserve(parameters.size());
  for (const Parameter& parameter : parameters) {
    if (parameter && parameter->find('\0') != std::string::npos) {
      // libpq would send only what stands before it: silent loss.
      throw Error(ErrorCode::kInvalidInput,
                  "parameter $" + std::to_string(pointers_.size() + 1) + " holds a NUL character",
                  "PostgreSQL cannot store NUL in text; remove it, or use bytea");
    }
    pointers_.push_back(parameter ? parameter->c_str() : nullptr);
  }
}

void require_free(const ConnectionState& state, const std::string& sql) {
  if (state.busy_with != nullptr) {
    throw Error(ErrorCode::kInternal,
                std::string("the database connection is busy with ") + state.busy_with);
  }
  if (sql.find('\0') != std::string::npos) {
    throw Error(ErrorCode::kInvalidInput, "the statement holds a NUL character",
                "remove it: SQL is text");
  }
}

Result checked(ConnectionState& state, PGresult* owned) {
  ResultPtr result(owned);
  rethrow_notice_failure(state);
  const ExecStatusType status = PQresultStatus(result.get());
  switch (status) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
      return Result(result.release());
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
      refuse_copy(state, status);
    default:
      throw_failure(state, result.get());
  }
}

void throw_failure(ConnectionState& state, const PGresult* result,
                   std::optional<std::size_t> statement_index) {
  if (result != nullptr && PQresultErrorField(result, PG_DIAG_SQLSTATE) != nullptr) {
    ServerErrorFields fields = read_fields(result);
    fields.statement_index = statement_index;
    throw ServerError(std::move(fields));
  }
  std::string text = first_line(PQresultErrorMessage(result));
  if (text.empty()) text = first_line(PQerrorMessage(state.raw()));
  if (PQstatus(state.raw()) != CONNECTION_OK) {
    throw Error(ErrorCode::kUnavailable, "the connection to the database server is lost: " + text,
                "what was not committed is undone; check that the server runs and try again");
  }
  throw Error(ErrorCode::kInternal, "the database client library failed: " + text);
}

void rethrow_notice_failure(ConnectionState& state) {
  if (state.notice_failure) {
    std::rethrow_exception(std::exchange(state.notice_failure, nullptr));
  }
}

void drain(ConnectionState& state) noexcept {
  while (PGresult* result = PQgetResult(state.raw())) {
    const ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    if (status == PGRES_COPY_IN) PQputCopyEnd(state.raw(), "abandoned");
    if (status == PGRES_COPY_OUT) {
      char* chunk = nullptr;
      while (PQgetCopyData(state.raw(), &chunk, 0) > 0) PQfreemem(chunk);
    }
    if (PQstatus(state.raw()) != CONNECTION_OK) return;
  }
}

bool request_cancel(const ConnectionState& state) noexcept {
  if (!state.cancel) return false;
  std::array<char, 256> ignored;
  return PQcancel(state.cancel.get(), ignored.data(), ignored.size()) == 1;
}

}  // namespace coppice::pg::internal
