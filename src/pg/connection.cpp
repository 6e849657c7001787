#include "pg/connection.h"

#include <poll.h>

#include <array>
#include <utility>

#include "base/text.h"
#include "pg/connection_state.h"
#include "pg/conninfo.h"

namespace coppice::pg {

using internal::checked;
using internal::ParameterPointers;
using internal::require_free;

internal::ConnectionState& internal_state(Connection& connection) { return *connection.state_; }

Connection::Connection(std::unique_ptr<internal::ConnectionState> state)
    : state_(std::move(state)) {}
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;

Result Connection::exec(const std::string& sql) {
  require_free(*state_, sql);
  return checked(*state_, PQexec(state_->raw(), sql.c_str()));
}

Result Connection::exec_params(const std::string& sql, Parameters parameters, TypeOids types) {
  require_free(*state_, sql);
  const ParameterPointers pointers(parameters);
  COPPICE_ASSERT(types.empty() || types.size() == parameters.size());
  return checked(*state_, PQexecParams(state_->raw(), sql.c_str(), pointers.count(),
                                       types.empty() ? nullptr : types.data(), pointers.data(),
                                       nullptr, nullptr, 0));
}

Result Connection::exec_params(const std::string& sql,
                               std::initializer_list<Parameter> parameters) {
  return exec_params(sql, Parameters(parameters.begin(), parameters.size()));
}

namespace {

std::string statement_key(const std::string& sql, TypeOids types) {
  std::string key = sql;
  for (const TypeOid type : types) key += '\0' + std::to_string(type);
  return key;
}

void prepare_now(internal::ConnectionState& state, const std::string& name, const std::string& sql,
                 TypeOids types) {
  checked(state, PQprepare(state.raw(), name.c_str(), sql.c_str(), static_cast<int>(types.size()),
                           types.data()));
}

void deallocate(internal::ConnectionState& state, const std::string& name) {
  checked(state, PQexec(state.raw(), ("DEALLOCATE " + quote_identifier(name)).c_str()));
}

}  // namespace

void Connection::prepare(const std::string& name, const std::string& sql, TypeOids types) {
  require_free(*state_, sql);
  COPPICE_ASSERT(!name.empty());
  const std::string key = statement_key(sql, types);
  if (const auto found = state_->named.find(name); found != state_->named.end()) {
    if (found->second == key) return;
    deallocate(*state_, name);
    state_->named.erase(found);
  }
  prepare_now(*state_, name, sql, types);
  state_->named[name] = key;
}

Result Connection::exec_prepared(const std::string& name, Parameters parameters) {
  require_free(*state_, name);
  const ParameterPointers pointers(parameters);
  try {
    return checked(*state_, PQexecPrepared(state_->raw(), name.c_str(), pointers.count(),
                                           pointers.data(), nullptr, nullptr, 0));
  } catch (const ServerError& error) {
    // The next prepare() has to do its work again: with DEALLOCATE first when the statement is
    // still there, for which a key that fits no statement stands.
    if (error.sqlstate() == "26000")
      state_->named.erase(name);
    else if (is_stale_plan(error))
      state_->named[name].clear();
    throw;
  }
}

namespace internal {

std::string cached_name(ConnectionState& state, const std::string& sql, TypeOids types) {
  std::string key = statement_key(sql, types);
  if (const auto found = state.cached.find(key); found != state.cached.end()) {
    state.recent.splice(state.recent.begin(), state.recent, found->second);
    return found->second->name;
  }
  if (state.cached.size() >= kMostCached) {
    const std::string oldest = state.recent.back().name;
    state.cached.erase(state.recent.back().key);
    state.recent.pop_back();
    deallocate(state, oldest);
  }
  std::string name = "coppice_" + std::to_string(++state.next_statement);
  prepare_now(state, name, sql, types);
  state.recent.push_front({key, name});
  state.cached[std::move(key)] = state.recent.begin();
  return name;
}

void forget_cached(ConnectionState& state, const std::string& sql, TypeOids types) {
  const auto found = state.cached.find(statement_key(sql, types));
  if (found == state.cached.end()) return;
  state.recent.erase(found->second);
  state.cached.erase(found);
}

}  // namespace internal

Result Connection::exec_cached(const std::string& sql, Parameters parameters, TypeOids types) {
  require_free(*state_, sql);
  for (bool again = false;; again = true) {
    try {
      return exec_prepared(internal::cached_name(*state_, sql, types), parameters);
    } catch (const ServerError& error) {
      if (!is_stale_plan(error)) throw;
      internal::forget_cached(*state_, sql, types);
      // In a transaction the failure has spoiled it already: the caller has to begin again.
      if (again || in_transaction()) throw;
    }
  }
}

Result Connection::exec_cached(const std::string& sql,
                               std::initializer_list<Parameter> parameters) {
  return exec_cached(sql, Parameters(parameters.begin(), parameters.size()));
}

namespace {

// Fills the names of types; those below this OID are PostgreSQL's own and are remembered.
constexpr TypeOid kFirstUserOid = 16384;

void name_types(Connection& connection, std::map<TypeOid, std::string>& known,
                Description& description) {
  const auto name_of = [&](TypeOid oid, int modifier) {
    if (modifier < 0 && oid < kFirstUserOid) {
      if (const auto found = known.find(oid); found != known.end()) return found->second;
    }
    const Result named = connection.exec_cached("SELECT format_type($1::oid, $2::int4)",
                                                {std::to_string(oid), std::to_string(modifier)});
    std::string name(named.text(0, 0));
    if (modifier < 0 && oid < kFirstUserOid) known[oid] = name;
    return name;
  };
  for (Column& column : description.columns) {
    column.type_name = name_of(column.type_oid, column.type_modifier);
  }
  for (Description::Type& type : description.parameters) type.name = name_of(type.oid, -1);
}

}  // namespace

Description Connection::describe(const std::string& sql, TypeOids types) {
  require_free(*state_, sql);
  prepare_now(*state_, "", sql, types);
  internal::ResultPtr described(PQdescribePrepared(state_->raw(), ""));
  if (PQresultStatus(described.get()) != PGRES_COMMAND_OK) {
    internal::throw_failure(*state_, described.get());
  }
  Description description;
  description.columns = internal::columns_of(described.get());
  for (int i = 0; i < PQnparams(described.get()); ++i) {
    description.parameters.push_back({PQparamtype(described.get(), i), {}});
  }
  name_types(*this, state_->type_names, description);
  return description;
}

void Connection::on_notice(NoticeHandler handler) { state_->notice_handler = std::move(handler); }

bool Connection::cancel() const noexcept { return internal::request_cancel(*state_); }

bool Connection::is_alive() {
  if (PQstatus(state_->raw()) != CONNECTION_OK) return false;
  if (state_->busy_with != nullptr) return true;
  // An idle connection is readable when the server closed it or said something unasked, which may
  // be its last words: read until there is nothing, or the end.
  pollfd entry{PQsocket(state_->raw()), POLLIN, 0};
  while (::poll(&entry, 1, 0) > 0) {
    if (PQconsumeInput(state_->raw()) != 1) return false;
    // Parses what came, so that notices reach their handler instead of piling up.
    PQisBusy(state_->raw());
    if (PQstatus(state_->raw()) != CONNECTION_OK) return false;
  }
  return true;
}

bool Connection::in_transaction() const {
  const PGTransactionStatusType status = PQtransactionStatus(state_->raw());
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR || status == PQTRANS_ACTIVE;
}

int Connection::backend_pid() const { return PQbackendPID(state_->raw()); }
int Connection::server_version() const { return PQserverVersion(state_->raw()); }
const std::string& Connection::conninfo() const { return state_->options.conninfo; }
Connection Connection::open_another() const { return connect(state_->options); }

}  // namespace coppice::pg
