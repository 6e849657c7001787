// ConnectionState: what lies under Connection, shared by the classes that speak libpq. Not for
// use outside this component.
#pragma once

#include <libpq-fe.h>

#include <exception>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "pg/connection.h"

namespace coppice::pg {

internal::ConnectionState& internal_state(Connection& connection);

namespace internal {

struct FreeConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct FreeCancel {
  void operator()(PGcancel* cancel) const { PQfreeCancel(cancel); }
};
struct FreeResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ConnectionPtr = std::unique_ptr<PGconn, FreeConnection>;
using ResultPtr = std::unique_ptr<PGresult, FreeResult>;

struct CachedStatement {
  std::string key;
  std::string name;
};

struct ConnectionState {
  ConnectionPtr connection;
  std::unique_ptr<PGcancel, FreeCancel> cancel;
  ConnectOptions options;
  NoticeHandler notice_handler;
  std::exception_ptr notice_failure;
  const char* busy_with = nullptr;           // "a COPY": what has the connection to itself
  bool enclosing = false;                    // an EnclosingTransaction is open
  std::map<std::string, std::string> named;  // statements prepared by the caller: name, key
  std::list<CachedStatement> recent;         // exec_cached's, used last first
  std::unordered_map<std::string, std::list<CachedStatement>::iterator> cached;
  std::uint64_t next_statement = 0;
  std::map<TypeOid, std::string> type_names;  // of built-in types, which never change

  PGconn* raw() const { return connection.get(); }
};

// The pointers of the parameters, as libpq takes them; refuses a NUL inside and more than 65,535.
class ParameterPointers {
 public:
  explicit ParameterPointers(Parameters parameters);
  const char* const* data() const { return pointers_.data(); }
  int count() const { return static_cast<int>(pointers_.size()); }

 private:
  std::vector<const char*> pointers_;
};

// Throws unless the connection is free for a new statement; `sql` must not hold a NUL.
void require_free(const ConnectionState& state, const std::string& sql);
// The name under which `sql` is prepared for exec_cached.
std::string cached_name(ConnectionState& state, const std::string& sql, TypeOids types);
void forget_cached(ConnectionState& state, const std::string& sql, TypeOids types);
constexpr std::size_t kMostCached = 256;

// A result that is a success; anything else throws (and leaves COPY mode, if in it).
Result checked(ConnectionState& state, PGresult* owned);
// Throws what `result` (or, when it is null, the connection) reports.
[[noreturn]] void throw_failure(ConnectionState& state, const PGresult* result,
                                std::optional<std::size_t> statement_index = std::nullopt);
// Rethrows what a notice handler threw.
void rethrow_notice_failure(ConnectionState& state);
// Reads what is left of the running statement and throws it away.
void drain(ConnectionState& state) noexcept;
bool request_cancel(const ConnectionState& state) noexcept;

}  // namespace internal
}  // namespace coppice::pg
