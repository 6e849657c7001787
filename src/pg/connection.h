// Connection: one session with a PostgreSQL server.
//
// Model    Text in, text out: parameters and values are in PostgreSQL's text form, UTF-8, with
//          ISO dates, hex bytea and exact floats whatever the role's own settings say. One thing
//          at a time: while a RowStream, CopyIn or CopyOut is open, other calls throw kInternal.
// Errors   ServerError for what the server says; Error{kUnavailable} when the connection is lost
//          (reconnecting is the caller's decision); kInvalidInput for a NUL in a text.
// Threads  A Connection belongs to one thread at a time; cancel() may come from any.
// Source   PostgreSQL documentation, chapter 34 (libpq). Only this component includes libpq.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pg/result.h"
#include "pg/server_error.h"

namespace coppice::pg {

using Parameter = std::optional<std::string>;  // nullopt is NULL
using Parameters = std::span<const Parameter>;
using TypeOids = std::span<const TypeOid>;

struct Notice {
  std::string severity;  // "NOTICE", "WARNING", …
  std::string sqlstate;
  std::string message;
  std::string detail;
  std::string hint;
};
using NoticeHandler = std::function<void(const Notice&)>;

struct ConnectOptions {
  std::string conninfo;             // conninfo.h
  std::optional<std::string> role;  // SET ROLE after connecting
  std::string application_name = "coppice";
  // Used when the conninfo sets no connect_timeout.
  std::chrono::milliseconds timeout = std::chrono::seconds(10);
};

struct Description {
  struct Type {
    TypeOid oid = 0;
    std::string name;
  };
  std::vector<Column> columns;   // empty: the statement returns no rows
  std::vector<Type> parameters;  // $1, $2, …
};

namespace internal {
struct ConnectionState;
}

class Connection {
 public:
  static Connection connect(const ConnectOptions& options);
  static Connection connect(const std::string& conninfo, std::optional<std::string> role = {});
  // Waits while the server starts or recovers from a crash, for `patience` at most; `report` hears
  // of it about once a second.
  static Connection connect_when_ready(const ConnectOptions& options,
                                       std::chrono::milliseconds patience = std::chrono::minutes(5),
                                       const std::function<void(const std::string&)>& report = {});
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  ~Connection();

  // Runs one statement or several, separated by semicolons; gives the last one's result. Several
  // are one transaction unless they say otherwise.
  Result exec(const std::string& sql);
  // Runs exactly one statement. `types` may name the parameters' types (0: let the server infer).
  Result exec_params(const std::string& sql, Parameters parameters, TypeOids types = {});
  Result exec_params(const std::string& sql, std::initializer_list<Parameter> parameters);

  // Prepares `sql` under `name`, unless that very statement is prepared under it already; another
  // statement of that name is replaced.
  void prepare(const std::string& name, const std::string& sql, TypeOids types = {});
  Result exec_prepared(const std::string& name, Parameters parameters);
  // Prepares `sql` on first use, keeps the 256 statements used last, and runs it. Prepares again
  // when a change of a table made the plan invalid. The fast way for short repeated statements.
  Result exec_cached(const std::string& sql, Parameters parameters, TypeOids types = {});
  Result exec_cached(const std::string& sql, std::initializer_list<Parameter> parameters);

  // Types of the columns and parameters of one statement, which is not run.
  Description describe(const std::string& sql, TypeOids types = {});

  // Called for each notice during a call; without a handler notices are dropped. What the handler
  // throws comes out of the call that received the notice.
  void on_notice(NoticeHandler handler);

  // Asks the server to stop the running statement, which then throws kInterrupted. From any
  // thread; nothing happens when no statement runs. False when the server could not be asked.
  bool cancel() const noexcept;
  // False when the connection is known to be lost. Looks at the socket only: no round trip.
  bool is_alive();

  bool in_transaction() const;
  int backend_pid() const;
  int server_version() const;  // 150020
  const std::string& conninfo() const;
  // A second session like this one, same address and role.
  Connection open_another() const;

 private:
  friend internal::ConnectionState& internal_state(Connection& connection);
  explicit Connection(std::unique_ptr<internal::ConnectionState> state);
  std::unique_ptr<internal::ConnectionState> state_;
};

}  // namespace coppice::pg
