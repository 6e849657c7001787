#include "pg/batch.h"

#include <set>
#include <utility>

#include "pg/connection_state.h"

namespace coppice::pg {

using internal::ConnectionState;
using internal::ResultPtr;

namespace {

// Leaves pipeline mode whatever happened; what is still to be read is thrown away first.
class PipelineMode {
 public:
  explicit PipelineMode(ConnectionState& state) : state_(state) {
    COPPICE_ASSERT(PQenterPipelineMode(state.raw()) == 1);
    state.busy_with = "a batch";
  }
  ~PipelineMode() {
    state_.busy_with = nullptr;
    while (PQexitPipelineMode(state_.raw()) == 0) {
      if (PQstatus(state_.raw()) != CONNECTION_OK) return;
      if (!synced_) synced_ = PQpipelineSync(state_.raw()) == 1;
      const ResultPtr ignored(PQgetResult(state_.raw()));
    }
  }
  PipelineMode(const PipelineMode&) = delete;
  PipelineMode& operator=(const PipelineMode&) = delete;

  void sync() {
    if (PQpipelineSync(state_.raw()) != 1) internal::throw_failure(state_, nullptr);
    synced_ = true;
  }

 private:
  ConnectionState& state_;
  bool synced_ = false;
};

}  // namespace

void Batch::add(std::string sql, std::vector<Parameter> parameters) {
  statements_.push_back({Kind::kOnce, std::move(sql), std::move(parameters)});
}

void Batch::add_cached(std::string sql, std::vector<Parameter> parameters) {
  statements_.push_back({Kind::kCached, std::move(sql), std::move(parameters)});
}

void Batch::add_prepared(std::string name, std::vector<Parameter> parameters) {
  statements_.push_back({Kind::kPrepared, std::move(name), std::move(parameters)});
}

void Batch::send(const Statement& statement, const std::string& name,
                 const internal::ParameterPointers& pointers) {
  ConnectionState& state = internal_state(connection_);
  const int sent = statement.kind == Kind::kOnce
                       ? PQsendQueryParams(state.raw(), statement.text.c_str(), pointers.count(),
                                           nullptr, pointers.data(), nullptr, nullptr, 0)
                       : PQsendQueryPrepared(state.raw(), name.c_str(), pointers.count(),
                                             pointers.data(), nullptr, nullptr, 0);
  if (sent != 1) internal::throw_failure(state, nullptr);
}

std::vector<Result> Batch::receive(std::size_t count) {
  ConnectionState& state = internal_state(connection_);
  std::vector<Result> results;
  results.reserve(count);
  for (std::size_t index = 0; index < count; ++index) {
    ResultPtr result(PQgetResult(state.raw()));
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY) {
      internal::throw_failure(state, result.get(), index);
    }
    results.emplace_back(result.release());
    const ResultPtr end(PQgetResult(state.raw()));
    // A transaction that fails only at its end (a deferred constraint) fails the last statement.
    if (end) internal::throw_failure(state, end.get(), index);
  }
  const ResultPtr sync(PQgetResult(state.raw()));
  if (PQresultStatus(sync.get()) != PGRES_PIPELINE_SYNC) {
    internal::throw_failure(state, sync.get(), count - 1);
  }
  return results;
}

std::vector<Result> Batch::run_once(const std::vector<Statement>& statements) {
  ConnectionState& state = internal_state(connection_);
  // Everything that can be wrong on our side is found before the first statement is sent.
  std::vector<internal::ParameterPointers> pointers;
  std::vector<std::string> names;
  for (const Statement& statement : statements) {
    internal::require_free(state, statement.text);
    pointers.emplace_back(statement.parameters);
    names.push_back(statement.kind == Kind::kCached
                        ? internal::cached_name(state, statement.text, {})
                        : statement.text);
  }
  std::vector<Result> results;
  {
    PipelineMode pipeline(state);
    for (std::size_t i = 0; i < statements.size(); ++i) send(statements[i], names[i], pointers[i]);
    pipeline.sync();
    results = receive(statements.size());
  }
  internal::rethrow_notice_failure(state);
  return results;
}

std::vector<Result> Batch::run() {
  std::vector<Statement> statements = std::exchange(statements_, {});
  if (statements.empty()) return {};
  // Only so many statements stay prepared that none is dropped before the batch runs.
  std::set<std::string> distinct;
  for (Statement& statement : statements) {
    if (statement.kind != Kind::kCached) continue;
    distinct.insert(statement.text);
    if (distinct.size() > internal::kMostCached / 2) statement.kind = Kind::kOnce;
  }
  for (bool again = false;; again = true) {
    try {
      return run_once(statements);
    } catch (const ServerError& error) {
      if (!is_stale_plan(error)) throw;
      for (const std::string& sql : distinct) {
        internal::forget_cached(internal_state(connection_), sql, {});
      }
      if (again || connection_.in_transaction()) throw;
    }
  }
}

}  // namespace coppice::pg
