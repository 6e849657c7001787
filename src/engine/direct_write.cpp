#include "engine/direct_write.h"

#include <fmt/core.h>

#include <thread>

#include "base/clock.h"
#include "base/crash_point.h"
#include "catalog/error_translation.h"
#include "catalog/store_ddl.h"
#include "engine/job_watch.h"
#include "engine/operation_end.h"
#include "pg/transaction.h"

namespace coppice::engine {
namespace {

using catalog::Operation;
using catalog::PublishResult;
using catalog::RowCounts;
using catalog::TablePointer;

constexpr int kMostRounds = 20;

// Publishes; when there are rows to look at again, the tree's lock is given back first. To keep it
// while waiting for a row whose holder waits for the tree would be a deadlock.
PublishResult publish_or_release(EngineContext& context, const Operation& operation,
                                 const RowCounts& counts, const DirectWrite& write) {
  if (!write.replaces_rows()) {
    return context.log.publish(operation, counts, false, write.changes_schema());
  }
  pg::Savepoint savepoint(context.main);
  PublishResult published = context.log.publish(operation, counts, true, write.changes_schema());
  if (published.concurrent_ops.empty()) {
    savepoint.release();
  } else {
    savepoint.rollback();
  }
  return published;
}

// One attempt: everything from BEGIN to COMMIT.
WriteOutcome attempt(EngineContext& context, Operation operation, DirectWrite& write) {
  WriteOutcome outcome;
  pg::Transaction transaction(context.main);
  write.write(context, operation, {}, outcome.counts);
  reach_crash_point("direct.written");
  PublishResult published = publish_or_release(context, operation, outcome.counts, write);
  while (!published.concurrent_ops.empty()) {
    // The tree is not locked: who holds one of those rows can publish and let us go on.
    operation.seen_version = published.seen_version;
    write.write(context, operation, published.concurrent_ops, outcome.counts);
    published = publish_or_release(context, operation, outcome.counts, write);
  }
  outcome.version = published.version;
  reach_crash_point("direct.before_commit");
  transaction.commit();
  reach_crash_point("direct.after_commit");
  return outcome;
}

// A failed statement whose computed column failed is repeated with tracing on, in a transaction
// that is never committed, to learn which row and column it was.
std::optional<Error> trace_failure(EngineContext& context, const catalog::TableInfo& table,
                                   const Operation& operation, DirectWrite& write) {
  try {
    pg::Transaction transaction(context.main);
    context.main.exec("SET LOCAL coppice.trace = 'on'");
    if (const auto traced = compute_function(table, catalog::ComputeForm::kTraced)) {
      context.main.exec(*traced);
    }
    RowCounts ignored;
    write.write(context, operation, {}, ignored);
  } catch (const pg::ServerError& error) {
    if (error.sqlstate() == "CP003") return catalog::translate(error, table);
  }
  return std::nullopt;
}

void refresh(EngineContext& context, Operation& operation) {
  const pg::Result row = context.main.exec_cached(
      "SELECT version, schema_version FROM coppice.trees WHERE tree_id = $1",
      {std::to_string(operation.tree_id)});
  if (row.rows() == 0) throw Error(ErrorCode::kNotFound, "the table was dropped meanwhile");
  operation.seen_version = row.integer(0, 0);
  operation.schema_version = row.integer(0, 1);
}

}  // namespace

WriteOutcome run_direct_write(EngineContext& context, const sql::QualifiedName& table_name,
                              std::string_view statement, DirectWrite& write) {
  TablePointer table = context.catalog.table(table_name);
  if (!table->views.empty()) throw TableHasViews();
  write.plan(context, *table);
  Operation operation;
  try {
    operation = context.log.begin(*table, write.kind(), statement);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
    context.forget_catalog();  // dropped, perhaps made again
    table = context.catalog.table(table_name);
    write.plan(context, *table);
    operation = context.log.begin(*table, write.kind(), statement);
  }
  const auto give_up = [&](std::string_view state, const Error& error) {
    if (context.main.is_alive()) context.log.fail(operation, state, error.message());
  };
  for (int round = 1;; ++round) {
    try {
      context.check_stop();
      if (operation.schema_version != table->schema_version) throw catalog::SchemaChanged();
      return attempt(context, operation, write);
    } catch (const catalog::SchemaChanged& changed) {
      if (round == kMostRounds) {
        give_up("conflict", changed);
        throw;
      }
      try {
        context.forget_catalog();
        table = context.catalog.table(table_name);
        if (!table->views.empty()) throw TableHasViews();
        write.plan(context, *table);
        refresh(context, operation);
      } catch (const TableHasViews& meanwhile) {
        give_up("empty", meanwhile);  // it is begun again, the other way
        throw;
      } catch (const Error& error) {
        give_up("failed", error);
        throw;
      }
    } catch (const pg::ServerError& error) {
      if (pg::is_retryable(error) && round < kMostRounds) {
        std::this_thread::sleep_for(
            backoff(round, std::chrono::milliseconds(2), std::chrono::milliseconds(200)));
        refresh(context, operation);
        continue;
      }
      Error translated = explain_stop(context, operation, catalog::translate(error, *table));
      if (error.fields().context.find("_compute()") != std::string::npos) {
        if (auto traced = trace_failure(context, *table, operation, write)) translated = *traced;
      }
      give_up(pg::is_retryable(error) ? "conflict" : end_state(translated), translated);
      if (error.fields().position > 0) throw;  // the caller knows where in the user's text
      throw translated;
    } catch (const Error& error) {
      give_up(end_state(error), error);
      throw;
    }
  }
}

}  // namespace coppice::engine
