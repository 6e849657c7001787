// Schema changes: one operation that alters a table, published with its new description.
//
// Model    change_schema() draws an operation and runs `change` in a transaction that waits at most
//          100 ms for locks and is repeated (pg::run_ddl). The tree is locked first, so the version
//          that the change will have is known. Afterwards the views follow: the user's view is
//          altered in place where PostgreSQL can, else made anew with its grants, comments and the
//          plain views that read it.
// Errors   kRefused when something that Coppice does not own depends on the view; kBusy with who
//          holds a lock; others in the user's names.
#pragma once

#include <functional>

#include "engine/context.h"
#include "sql/source_text.h"

namespace coppice::engine {

// What `change` gets: the table, to be altered in place, and the version it will have.
struct SchemaChange {
  catalog::TableInfo table;
  std::int64_t version = 0;
  catalog::Operation operation;
  std::ptrdiff_t location = -1;      // of the part that is being done: errors are told there
  bool drop_views = false;           // plain views that would break are dropped, not a refusal
  std::vector<std::string> notices;  // for the user, when it is done
};

// Returns the version that was published. `sink` gets the notices.
std::int64_t change_schema(EngineContext& context, const sql::QualifiedName& table,
                           std::string_view kind, std::string_view statement,
                           const sql::SourceText& source,
                           const std::function<void(SchemaChange&)>& change,
                           ResultSink* sink = nullptr);

// Runs `change` in a transaction with a lock timeout, again and again until the deadline.
void alter_in_transaction(EngineContext& context, const std::function<void()>& change);

// Lets the table's views say what `now` says; `before` is what they say. In a transaction.
// With `dropped`, views that cannot follow are dropped, and named there.
void follow_with_views(EngineContext& context, const catalog::TableInfo& before,
                       const catalog::TableInfo& now, std::vector<std::string>* dropped = nullptr);
// Takes views out of the catalog that are no more.
void forget_dropped_views(EngineContext& context);
void drop_as_of_views(EngineContext& context, const catalog::TableInfo& table);

// A server error of DDL in the user's names, at the statement.
Error ddl_error(const pg::ServerError& error, const catalog::TableInfo& table,
                const sql::SourceText& source);

}  // namespace coppice::engine
