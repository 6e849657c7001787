// Batch: many statements in one round trip.
//
// Model    add() collects, run() sends all and waits once. Outside a transaction the batch is one
//          transaction by itself; inside one it is part of it. Every result is kept in memory.
// Errors   The first statement that fails ends the batch: nothing after it is run, and the
//          ServerError's fields().statement_index says which it was. The connection stays usable
//          (an enclosing transaction is spoiled, as after any failed statement).
// Threads  As the Connection.
#pragma once

#include <string>
#include <vector>

#include "pg/connection.h"

namespace coppice::pg {

namespace internal {
class ParameterPointers;
}

class Batch {
 public:
  explicit Batch(Connection& connection) : connection_(connection) {}

  // A statement planned for this one run.
  void add(std::string sql, std::vector<Parameter> parameters);
  // A statement prepared once and kept, as Connection::exec_cached does.
  void add_cached(std::string sql, std::vector<Parameter> parameters);
  // A statement that Connection::prepare named.
  void add_prepared(std::string name, std::vector<Parameter> parameters);

  std::size_t size() const { return statements_.size(); }
  // One result for each statement, in order. The batch is empty afterwards.
  std::vector<Result> run();

 private:
  enum class Kind { kOnce, kCached, kPrepared };
  struct Statement {
    Kind kind;
    std::string text;
    std::vector<Parameter> parameters;
  };
  void send(const Statement& statement, const std::string& name,
            const internal::ParameterPointers& pointers);
  std::vector<Result> run_once(const std::vector<Statement>& statements);
  std::vector<Result> receive(std::size_t count);

  Connection& connection_;
  std::vector<Statement> statements_;
};

}  // namespace coppice::pg
