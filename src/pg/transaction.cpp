#include "pg/transaction.h"

#include <utility>

#include "pg/connection_state.h"
#include "pg/conninfo.h"

namespace coppice::pg {
namespace {

const char* begin_statement(TransactionMode mode) {
  switch (mode) {
    case TransactionMode::kReadCommitted:
      return "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
    case TransactionMode::kRepeatableRead:
      return "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE";
    case TransactionMode::kReadOnly:
      return "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY";
    case TransactionMode::kReadOnlySnapshot:
      return "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
  }
  return "";
}

constexpr const char* kEnclosedName = "coppice_enclosed";

}  // namespace

Transaction::Transaction(Connection& connection, TransactionMode mode)
    : connection_(connection), enclosed_(internal_state(connection).enclosing) {
  COPPICE_ASSERT(enclosed_ || !connection.in_transaction());
  connection.exec(enclosed_ ? std::string("SAVEPOINT ") + kEnclosedName : begin_statement(mode));
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    rollback();
  } catch (...) {
    // The connection is lost, and with it the transaction: that is a rollback too.
  }
}

void Transaction::commit() {
  COPPICE_ASSERT(open_);
  if (enclosed_) {
    connection_.exec(std::string("RELEASE SAVEPOINT ") + kEnclosedName);
    open_ = false;
    return;
  }
  open_ = false;
  try {
    // Copied, because the result is gone after this statement.
    const std::string tag(connection_.exec("COMMIT").command_tag());
    if (tag == "COMMIT") return;
  } catch (const ServerError&) {
    throw;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnavailable) throw;
    throw Error(ErrorCode::kUnavailable,
                error.message() + " (during COMMIT: it is not known whether it was done)",
                "look at the data before doing it again");
  }
  throw Error(ErrorCode::kInternal,
              "the transaction was rolled back: a statement in it had failed");
}

void Transaction::rollback() {
  COPPICE_ASSERT(open_);
  open_ = false;
  const std::string name = kEnclosedName;
  connection_.exec(enclosed_ ? "ROLLBACK TO SAVEPOINT " + name + "; RELEASE SAVEPOINT " + name
                             : "ROLLBACK");
}

EnclosingTransaction::EnclosingTransaction(Connection& connection)
    : connection_(connection), transaction_(connection) {
  set_enclosing(true);
}

EnclosingTransaction::~EnclosingTransaction() { set_enclosing(false); }

void EnclosingTransaction::commit() {
  set_enclosing(false);
  transaction_.commit();
}

void EnclosingTransaction::set_enclosing(bool enclosing) {
  internal_state(connection_).enclosing = enclosing;
}

Savepoint::Savepoint(Connection& connection, const std::string& name)
    : connection_(connection), name_(quote_identifier(name)) {
  connection_.exec("SAVEPOINT " + name_);
}

Savepoint::~Savepoint() {
  if (!open_) return;
  try {
    rollback();
  } catch (...) {
    // As in ~Transaction.
  }
}

void Savepoint::release() {
  COPPICE_ASSERT(open_);
  connection_.exec("RELEASE SAVEPOINT " + name_);
  open_ = false;
}

void Savepoint::rollback() {
  COPPICE_ASSERT(open_);
  open_ = false;
  connection_.exec("ROLLBACK TO SAVEPOINT " + name_ + "; RELEASE SAVEPOINT " + name_);
}

}  // namespace coppice::pg
