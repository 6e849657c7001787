// Transaction and Savepoint: a block of statements that happens as a whole or not at all.
//
// Model    Begins when made; rolls back when destroyed without commit(), so an exception on the
//          way undoes everything. Begin no second Transaction inside one: use a Savepoint. Only
//          while an EnclosingTransaction is open a Transaction is a savepoint of that one.
// Errors   commit() throws when the transaction could not be committed, also when an earlier
//          failed statement had spoiled it (PostgreSQL itself answers that COMMIT with a silent
//          ROLLBACK). If the connection is lost during commit() the outcome is unknown, and the
//          message says so. Destructors never throw.
// Threads  As the Connection.
#pragma once

#include <string>

#include "pg/connection.h"

namespace coppice::pg {

enum class TransactionMode {
  kReadCommitted,
  kRepeatableRead,    // one snapshot; writers may get 40001
  kReadOnly,          // each statement sees what is committed then
  kReadOnlySnapshot,  // one snapshot, no writes
};

class Transaction {
 public:
  explicit Transaction(Connection& connection,
                       TransactionMode mode = TransactionMode::kReadCommitted);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  void commit();
  void rollback();

 private:
  Connection& connection_;
  bool enclosed_ = false;
  bool open_ = true;
};

// Makes one of several transactions: what is begun while it is open becomes a savepoint, and all of
// it happens at its commit() or not at all. Locks are kept that long, so keep it short.
class EnclosingTransaction {
 public:
  explicit EnclosingTransaction(Connection& connection);
  ~EnclosingTransaction();
  EnclosingTransaction(const EnclosingTransaction&) = delete;
  EnclosingTransaction& operator=(const EnclosingTransaction&) = delete;

  void commit();

 private:
  void set_enclosing(bool enclosing);

  Connection& connection_;
  Transaction transaction_;
};

class Savepoint {
 public:
  explicit Savepoint(Connection& connection, const std::string& name = "coppice_savepoint");
  ~Savepoint();
  Savepoint(const Savepoint&) = delete;
  Savepoint& operator=(const Savepoint&) = delete;

  // Keeps what was done since; it is committed with the transaction.
  void release();
  // Undoes what was done since; also after a failed statement.
  void rollback();

 private:
  Connection& connection_;
  std::string name_;
  bool open_ = true;
};

}  // namespace coppice::pg
