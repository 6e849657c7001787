// OperationLog: the life of an operation, from its id to its version.
//
// Model    begin() draws an id from the tree and lists the operation as running; publish() gives it
//          a version in the transaction that holds its rows; fail() says how it ended otherwise.
//          An operation whose backend is gone is interrupted; settle_abandoned() says so. One that
//          is interrupted or paused waits: take_up() gives it to this session, or to nobody.
// Errors   begin: kNotFound when the table was dropped. publish: SchemaChanged when the table was
//          altered since begin, kNotFound when it was dropped.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/model.h"
#include "pg/connection.h"

namespace coppice::catalog {

struct Operation {
  std::int64_t tree_id = 0;
  std::int64_t op_id = 0;
  std::int64_t table_id = 0;
  std::int64_t seen_version = 0;
  std::int64_t schema_version = 0;

  // As users write it: "12-5".
  std::string text() const;
};

struct RowCounts {
  std::int64_t inserted = 0;
  std::int64_t updated = 0;
  std::int64_t deleted = 0;
  std::int64_t errors = 0;
  std::int64_t changed() const { return inserted + updated + deleted; }
};

struct PublishResult {
  std::optional<std::int64_t> version;       // none when nothing changed
  std::vector<std::int64_t> concurrent_ops;  // not published: evaluate rows of these again
  std::int64_t seen_version = 0;             // with concurrent_ops: the version that has them all
};

// States of operations that may still be published, and of those that wait to be gone on with: for
// SQL, state IN (…).
inline constexpr std::string_view kOpenStates = "'running', 'interrupted', 'paused'";
inline constexpr std::string_view kWaitingStates = "'interrupted', 'paused'";

// What a waiting operation keeps.
struct WaitingOperation {
  Operation operation;
  std::string kind;
  std::string detail;  // JSON
};

// The tree's schema moved on since the operation was planned: plan again.
class SchemaChanged : public Error {
 public:
  SchemaChanged() : Error(ErrorCode::kConflict, "the table was altered meanwhile") {}
};

class OperationLog {
 public:
  OperationLog(pg::Connection& connection, std::string author)
      : connection_(connection), author_(std::move(author)) {}

  Operation begin(const TableInfo& table, std::string_view kind, std::string_view statement);
  // Makes the connection's open transaction write rows of this operation.
  void enter(const Operation& operation);
  PublishResult publish(const Operation& operation, const RowCounts& counts, bool check_rows,
                        bool changes_schema);
  void fail(const Operation& operation, std::string_view state, std::string_view message);
  // Makes a waiting operation this session's, and running. nullopt: it does not wait, or not any
  // more. With `unless_paused` only an interrupted one.
  std::optional<WaitingOperation> take_up(std::int64_t tree_id, std::int64_t op_id,
                                          bool unless_paused = false);
  // Marks running operations of dead backends as interrupted, or as paused if that was asked for;
  // how many there were.
  int settle_abandoned();

  // Called when an operation has begun or was taken up. What it throws comes out of that call.
  void on_begin(std::function<void(const Operation&)> call) { on_begin_ = std::move(call); }

  const std::string& author() const { return author_; }

 private:
  pg::Connection& connection_;
  std::string author_;
  std::function<void(const Operation&)> on_begin_;
};

// How long a statement is kept in the history; longer ones are cut with an ellipsis.
inline constexpr std::size_t kStatementBytesKept = 8192;

}  // namespace coppice::catalog
