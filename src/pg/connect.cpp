// Opening a session: libpq's connection state machine, driven here so that a deadline holds for
// the whole of it and the server's SQLSTATE is not lost (libpq has it only in verbose messages).
#include <poll.h>

#include <cerrno>
#include <cstdlib>
#include <thread>

#include "base/text.h"
#include "pg/connection_state.h"
#include "pg/conninfo.h"

namespace coppice::pg {
namespace internal {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

// Text forms that do not depend on settings of the role or database; a cursor is read to its end.
constexpr const char* kSessionSettings =
    "SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 1; "
    "SET bytea_output = 'hex'; SET standard_conforming_strings = on; "
    "SET cursor_tuple_fraction = 1.0";

constexpr std::string_view kCannotConnectNow = "57P03";
constexpr milliseconds kReadyPause{20};
constexpr int kAttemptsPerReport = 50;

// "…: FATAL:  28P01: password …\nLOCATION: …": finds "28P01".
std::optional<std::size_t> find_sqlstate(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (std::size_t at = text.find(":  "); at != std::string_view::npos;
       at = text.find(":  ", at + 1)) {
    const std::string_view rest = text.substr(at + 3);
    if (rest.size() > 6 && rest.find_first_not_of(kDigits) == 5 && rest.substr(5, 2) == ": ") {
      return at + 3;
    }
  }
  return std::nullopt;
}

[[noreturn]] void throw_connect_failure(PGconn* connection) {
  std::string text(trim(PQerrorMessage(connection)));
  const std::optional<std::size_t> at = find_sqlstate(text);
  if (!at) {
    throw Error(ErrorCode::kUnavailable, "cannot connect to the database server: " + text,
                "check that the server is running and the address is right");
  }
  ServerErrorFields fields;
  fields.sqlstate = text.substr(*at, 5);
  text.erase(*at, 7);
  if (const std::size_t location = text.find("\nLOCATION:"); location != std::string::npos) {
    text.erase(location);
  }
  fields.primary = "cannot connect to the database server: " + text;
  throw ServerError(std::move(fields));
}

[[noreturn]] void throw_timeout(milliseconds timeout) {
  throw Error(ErrorCode::kUnavailable,
              "cannot connect to the database server: no answer within " +
                  human_seconds(static_cast<double>(timeout.count()) / 1000),
              "check the address, the network and whether the server is overloaded");
}

void wait_for_socket(PGconn* connection, PostgresPollingStatusType want,
                     SteadyClock::time_point deadline, milliseconds timeout) {
  for (;;) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - SteadyClock::now());
    if (left.count() <= 0) throw_timeout(timeout);
    const short events = want == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    pollfd entry{PQsocket(connection), events, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(left.count()));
    if (ready > 0) return;
    if (ready < 0 && errno != EINTR) throw_errno("wait for the database server");
  }
}

void finish_connecting(PGconn* connection, milliseconds timeout) {
  if (connection == nullptr) throw Error(ErrorCode::kInternal, "libpq is out of memory");
  PQsetErrorVerbosity(connection, PQERRORS_VERBOSE);
  const auto deadline = SteadyClock::now() + timeout;
  PostgresPollingStatusType status = PGRES_POLLING_WRITING;
  if (PQstatus(connection) == CONNECTION_BAD) throw_connect_failure(connection);
  while (status != PGRES_POLLING_OK) {
    wait_for_socket(connection, status, deadline, timeout);
    status = PQconnectPoll(connection);
    if (status == PGRES_POLLING_FAILED) throw_connect_failure(connection);
  }
  PQsetErrorVerbosity(connection, PQERRORS_DEFAULT);
}

ConninfoOptions with_defaults(const ConnectOptions& options) {
  ConninfoOptions values = parse_conninfo(options.conninfo);
  values["client_encoding"] = "UTF8";
  // emplace: what the user wrote stays.
  values.emplace("fallback_application_name", options.application_name);
  values.emplace("keepalives_idle", "60");
  values.emplace("keepalives_interval", "10");
  values.emplace("keepalives_count", "6");
  return values;
}

milliseconds connect_timeout(const ConninfoOptions& values, milliseconds standard) {
  const auto found = values.find("connect_timeout");
  const long seconds = found == values.end() ? 0 : std::atol(found->second.c_str());
  return seconds > 0 ? milliseconds(seconds * 1000) : standard;
}

std::string field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? std::string() : std::string(text);
}

// Called by libpq, through which no exception may pass.
void receive_notice(void* argument, const PGresult* result) {
  auto& state = *static_cast<ConnectionState*>(argument);
  if (!state.notice_handler) return;
  try {
    state.notice_handler({field(result, PG_DIAG_SEVERITY_NONLOCALIZED),
                          field(result, PG_DIAG_SQLSTATE), field(result, PG_DIAG_MESSAGE_PRIMARY),
                          field(result, PG_DIAG_MESSAGE_DETAIL),
                          field(result, PG_DIAG_MESSAGE_HINT)});
  } catch (...) {
    state.notice_failure = std::current_exception();
  }
}

}  // namespace
}  // namespace internal

Connection Connection::connect(const ConnectOptions& options) {
  auto state = std::make_unique<internal::ConnectionState>();
  state->options = options;
  const ConninfoOptions values = internal::with_defaults(options);
  std::vector<const char*> keywords, texts;
  for (const auto& [keyword, text] : values) {
    keywords.push_back(keyword.c_str());
    texts.push_back(text.c_str());
  }
  keywords.push_back(nullptr);
  texts.push_back(nullptr);
  state->connection.reset(PQconnectStartParams(keywords.data(), texts.data(), 0));
  PQsetNoticeReceiver(state->raw(), internal::receive_notice, state.get());
  internal::finish_connecting(state->raw(), internal::connect_timeout(values, options.timeout));
  state->cancel.reset(PQgetCancel(state->raw()));

  Connection connection(std::move(state));
  std::string settings = internal::kSessionSettings;
  if (options.role) settings += "; SET ROLE " + quote_identifier(*options.role);
  connection.exec(settings);
  return connection;
}

Connection Connection::connect_when_ready(const ConnectOptions& options,
                                          std::chrono::milliseconds patience,
                                          const std::function<void(const std::string&)>& report) {
  const auto begin = internal::SteadyClock::now();
  for (int attempt = 1;; ++attempt) {
    try {
      return connect(options);
    } catch (const ServerError& error) {
      const auto waited = internal::SteadyClock::now() - begin;
      if (error.sqlstate() != internal::kCannotConnectNow || waited > patience) throw;
      if (report && attempt % internal::kAttemptsPerReport == 0)
        report("waiting: " + error.message());
    }
    std::this_thread::sleep_for(internal::kReadyPause);
  }
}

Connection Connection::connect(const std::string& conninfo, std::optional<std::string> role) {
  ConnectOptions options;
  options.conninfo = conninfo;
  options.role = std::move(role);
  return connect(options);
}

}  // namespace coppice::pg
