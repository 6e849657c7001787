#include "pg/copy.h"

#include <algorithm>
#include <cstdlib>

#include "pg/connection_state.h"

namespace coppice::pg {

using internal::ResultPtr;

namespace {

// Larger messages are slower: the server copies each one whole before it reads rows from it.
constexpr std::size_t kMessageBytes = 64 << 10;

void begin_copy(internal::ConnectionState& state, const std::string& sql, ExecStatusType want) {
  internal::require_free(state, sql);
  ResultPtr result(PQexec(state.raw(), sql.c_str()));
  internal::rethrow_notice_failure(state);
  if (PQresultStatus(result.get()) == want) {
    state.busy_with = "a COPY";
    return;
  }
  internal::checked(state, result.release());
  throw Error(ErrorCode::kInternal, "not a COPY statement: " + sql);
}

}  // namespace

CopyIn::CopyIn(Connection& connection, const std::string& sql)
    : state_(internal_state(connection)) {
  begin_copy(state_, sql, PGRES_COPY_IN);
  buffer_.reserve(kMessageBytes);
}

CopyIn::~CopyIn() {
  if (!open_) return;
  PQputCopyEnd(state_.raw(), "the copy was abandoned");
  internal::drain(state_);
  leave();
}

void CopyIn::leave() {
  open_ = false;
  state_.busy_with = nullptr;
}

void CopyIn::send(std::string_view bytes) {
  if (bytes.empty()) return;
  if (PQputCopyData(state_.raw(), bytes.data(), static_cast<int>(bytes.size())) != 1) {
    leave();
    // The server's last words, if they arrived, say more than "connection lost".
    const ResultPtr last(PQgetResult(state_.raw()));
    internal::throw_failure(state_, last.get());
  }
  internal::rethrow_notice_failure(state_);
}

void CopyIn::write(std::string_view bytes) {
  COPPICE_ASSERT(open_);
  if (buffer_.size() + bytes.size() < kMessageBytes) {
    buffer_.append(bytes);
    return;
  }
  send(buffer_);
  buffer_.clear();
  for (; bytes.size() >= kMessageBytes; bytes.remove_prefix(kMessageBytes)) {
    send(bytes.substr(0, kMessageBytes));
  }
  buffer_.append(bytes);
}

std::uint64_t CopyIn::finish() {
  COPPICE_ASSERT(open_);
  send(buffer_);
  leave();
  if (PQputCopyEnd(state_.raw(), nullptr) != 1) internal::throw_failure(state_, nullptr);
  ResultPtr result(PQgetResult(state_.raw()));
  internal::drain(state_);
  return internal::checked(state_, result.release()).affected_rows();
}

CopyOut::CopyOut(Connection& connection, const std::string& sql)
    : state_(internal_state(connection)) {
  begin_copy(state_, sql, PGRES_COPY_OUT);
}

CopyOut::~CopyOut() {
  release_chunk();
  if (!open_) return;
  internal::request_cancel(state_);
  internal::drain(state_);
  state_.busy_with = nullptr;
}

void CopyOut::release_chunk() {
  PQfreemem(chunk_);
  chunk_ = nullptr;
}

std::optional<std::string_view> CopyOut::read() {
  release_chunk();
  if (!open_) return std::nullopt;
  const int count = PQgetCopyData(state_.raw(), &chunk_, 0);
  if (count > 0) return std::string_view(chunk_, static_cast<std::size_t>(count));
  open_ = false;
  state_.busy_with = nullptr;
  ResultPtr result(PQgetResult(state_.raw()));
  internal::drain(state_);
  row_count_ = std::strtoull(PQcmdTuples(result.get()), nullptr, 10);
  internal::checked(state_, result.release());
  return std::nullopt;
}

}  // namespace coppice::pg
