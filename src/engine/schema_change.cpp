#include "engine/schema_change.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/clock.h"
#include "base/text.h"
#include "catalog/error_translation.h"
#include "catalog/store_ddl.h"
#include "engine/create_table.h"
#include "engine/view_text.h"
#include "pg/retry.h"
#include "pg/transaction.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;
using catalog::TablePointer;

constexpr int kMostRounds = 10;

struct DependentView {
  std::string name;  // quoted
  std::string definition;
  std::vector<std::string> rights;
};

std::vector<std::string> rights_of(EngineContext& context, const std::string& relation) {
  const pg::Result rows =
      context.main.exec_params("SELECT coppice.rights_and_comments($1)", {relation});
  std::vector<std::string> statements;
  for (int row = 0; row < rows.rows(); ++row) statements.emplace_back(rows.text(row, 0));
  return statements;
}

// The plain views over a table, nearest first; refuses what is not ours, by name.
std::vector<DependentView> dependents_of(EngineContext& context, const TableInfo& table) {
  const pg::Result rows = context.main.exec_params(
      "SELECT quote_ident(schema_name) || '.' || quote_ident(view_name), ours, definition "
      "FROM coppice.dependent_views($1)",
      {table.user_name()});
  std::vector<DependentView> views;
  for (int row = 0; row < rows.rows(); ++row) {
    const std::string name(rows.text(row, 0));
    if (!rows.boolean(row, 1)) {
      throw Error(
          ErrorCode::kRefused,
          fmt::format("{} reads table {} and was not made by Coppice", name, table.user_name()),
          "drop it first, and make it again afterwards");
    }
    views.push_back({name, std::string(rows.text(row, 2)), rights_of(context, name)});
  }
  return views;
}

// True when CREATE OR REPLACE will do: the old columns stay, in place, and others follow.
bool only_appends(const std::vector<const ColumnInfo*>& before,
                  const std::vector<const ColumnInfo*>& now) {
  if (now.size() < before.size()) return false;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i]->id != now[i]->id || before[i]->type != now[i]->type) return false;
  }
  return true;
}

// Whether a column has another name than before.
bool renames(const std::vector<const ColumnInfo*>& before,
             const std::vector<const ColumnInfo*>& now) {
  return std::any_of(now.begin(), now.end(), [&](const ColumnInfo* column) {
    return std::any_of(before.begin(), before.end(), [&](const ColumnInfo* old) {
      return old->id == column->id && old->name != column->name;
    });
  });
}

bool same_columns(const std::vector<const ColumnInfo*>& before,
                  const std::vector<const ColumnInfo*>& now) {
  return std::equal(before.begin(), before.end(), now.begin(), now.end(),
                    [](const auto* a, const auto* b) { return a->id == b->id; });
}

void rename_in_place(EngineContext& context, const TableInfo& table,
                     const std::vector<const ColumnInfo*>& before,
                     const std::vector<const ColumnInfo*>& now) {
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i]->name == now[i]->name) continue;
    context.main.exec(fmt::format("ALTER VIEW {} RENAME COLUMN {} TO {}", table.user_name(),
                                  sql::quote_identifier(before[i]->name),
                                  sql::quote_identifier(now[i]->name)));
  }
}

void make_anew(EngineContext& context, const TableInfo& before, const TableInfo& now,
               std::vector<std::string>* dropped) {
  const std::vector<DependentView> dependents = dependents_of(context, before);
  const std::vector<std::string> rights = rights_of(context, before.user_name());
  for (auto view = dependents.rbegin(); view != dependents.rend(); ++view) {
    context.main.exec("DROP VIEW " + view->name);
  }
  context.main.exec("DROP VIEW " + before.user_name());
  create_user_view(context, now);
  for (const std::string& statement : rights) context.main.exec(statement);
  for (const DependentView& view : dependents) {
    pg::Savepoint savepoint(context.main);
    try {
      context.main.exec(fmt::format("CREATE VIEW {} AS {}", view.name, view.definition));
      savepoint.release();
    } catch (const pg::ServerError& error) {
      if (dropped != nullptr) {
        savepoint.rollback();
        dropped->push_back(view.name);
        continue;
      }
      throw Error(ErrorCode::kRefused,
                  fmt::format("view {} depends on what would change: {}", view.name,
                              error.fields().primary),
                  "drop the view first, and make it again afterwards");
    }
    for (const std::string& statement : view.rights) context.main.exec(statement);
  }
  if (dropped != nullptr && !dropped->empty()) forget_dropped_views(context);
}

}  // namespace

void forget_dropped_views(EngineContext& context) {
  context.main.exec(
      "DELETE FROM coppice.views v WHERE to_regclass(format('%I.%I', v.schema_name, "
      "v.view_name)) IS NULL");
}

void follow_with_views(EngineContext& context, const TableInfo& before, const TableInfo& now,
                       std::vector<std::string>* dropped) {
  const auto old_columns = before.visible_columns();
  const auto new_columns = now.visible_columns();
  context.main.exec("DROP VIEW IF EXISTS " + now.working_view());
  context.main.exec(catalog::working_view(now));
  for (const std::string& ddl : catalog::compute_trigger(now)) context.main.exec(ddl);
  if (only_appends(old_columns, new_columns)) {
    rename_in_place(context, before, old_columns, new_columns);
    context.main.exec(catalog::user_view(now, true));
  } else {
    make_anew(context, before, now, dropped);
  }
  if (before.name != now.name || renames(old_columns, new_columns)) {
    renew_view_texts(context, now.user_name(), TextChange::kNames);
  } else if (!same_columns(old_columns, new_columns)) {
    renew_view_texts(context, now.user_name(), TextChange::kColumns);
  }
}

void drop_as_of_views(EngineContext& context, const TableInfo& table) {
  const pg::Result views = context.main.exec_params(
      "SELECT 'coppice_asof.' || quote_ident(relname) FROM pg_class "
      "WHERE relnamespace = 'coppice_asof'::regnamespace AND relname LIKE $1 || '\\_v%'",
      {table.store});
  for (int row = 0; row < views.rows(); ++row) {
    context.main.exec(fmt::format("DROP VIEW {}", views.text(row, 0)));
  }
}

Error ddl_error(const pg::ServerError& error, const TableInfo& table,
                const sql::SourceText& source) {
  const Error translated = catalog::translate(error, table);
  std::string hint = translated.hint();
  const std::string& primary = error.fields().primary;
  const std::size_t begin = primary.find('"');
  if (error.sqlstate() == "42704" && primary.starts_with("type \"")) {
    // Those that people write, and ours.
    const std::vector<std::string> types = {
        "image",    "video",   "audio",  "document",  "bigint",      "integer",
        "smallint", "numeric", "float8", "real",      "text",        "varchar",
        "boolean",  "date",    "time",   "timestamp", "timestamptz", "interval",
        "uuid",     "jsonb",   "json",   "bytea",     "inet",        "double precision"};
    hint = did_you_mean(primary.substr(begin + 1, primary.find('"', begin + 1) - begin - 1), types);
  }
  return sql::error_at(translated.code(), source, -1, translated.message(), hint);
}

namespace {

// "could not lock coppice_store.t12 …", with the user's name of the table.
Error busy_in_user_names(EngineContext& context, const Error& error) {
  constexpr std::string_view kStore = "coppice_store.";
  std::string message = error.message();
  const std::size_t at = message.find(kStore);
  if (at == std::string::npos) return error;
  const std::size_t begin = at + kStore.size();
  const std::size_t end = std::min(message.find_first_of(" \"", begin), message.size());
  const pg::Result table = context.main.exec_params(
      "SELECT schema_name || '.' || table_name FROM coppice.tables "
      "WHERE substr(store_name, 2) = substr($1, 2)",
      {message.substr(begin, end - begin)});
  if (table.rows() > 0) message.replace(at, end - at, "table " + std::string(table.text(0, 0)));
  return Error(error.code(), message, error.hint());
}

}  // namespace

void alter_in_transaction(EngineContext& context, const std::function<void()>& change) {
  try {
    pg::run_ddl(context.main, SystemClock(), [&](pg::Connection&) {
      context.check_stop();
      change();
    });
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kBusy) throw;
    throw busy_in_user_names(context, error);
  }
}

std::int64_t change_schema(EngineContext& context, const sql::QualifiedName& name,
                           std::string_view kind, std::string_view statement,
                           const sql::SourceText& source,
                           const std::function<void(SchemaChange&)>& change, ResultSink* sink) {
  if (context.rehearsal != nullptr) {
    throw Error(ErrorCode::kUnsupported, "there is nothing to estimate: no row gets another value",
                "the statement takes one short transaction, however large the table");
  }
  TablePointer table = context.catalog.table(name);
  catalog::Operation operation = context.log.begin(*table, kind, statement);
  std::optional<std::int64_t> published;
  std::vector<std::string> notices;
  TableInfo latest = *table;  // with what the change added, for errors in the user's names
  std::ptrdiff_t location = -1;
  for (int round = 1;; ++round) {
    try {
      alter_in_transaction(context, [&] {
        const pg::Result tree = context.main.exec_cached(
            "SELECT version, schema_version FROM coppice.trees WHERE tree_id = $1 FOR UPDATE",
            {std::to_string(operation.tree_id)});
        if (tree.rows() == 0) {
          throw Error(ErrorCode::kNotFound, "table " + name.text() + " was dropped meanwhile");
        }
        operation.seen_version = tree.integer(0, 0);
        operation.schema_version = tree.integer(0, 1);
        context.forget_catalog();
        table = context.catalog.table_by_id(operation.table_id);
        SchemaChange altered{*table, operation.seen_version + 1, operation};
        try {
          change(altered);
        } catch (const Error&) {
          latest = altered.table;
          location = altered.location;
          throw;
        }
        std::vector<std::string> dropped;
        follow_with_views(context, *table, altered.table, altered.drop_views ? &dropped : nullptr);
        notices = std::move(altered.notices);
        for (const std::string& view : dropped) {
          notices.push_back("drop cascades to view " + view);
        }
        published = context.log.publish(operation, {}, false, true).version;
      });
      break;
    } catch (const pg::ServerError& error) {
      context.forget_catalog();
      if (pg::is_retryable(error) && round < kMostRounds) continue;
      const Error translated = sql::placed(ddl_error(error, latest, source), source, location);
      context.log.fail(operation, "failed", translated.message());
      throw translated;
    } catch (const Error& error) {
      context.forget_catalog();
      if (context.main.is_alive()) context.log.fail(operation, "failed", error.message());
      const bool of_the_text =
          error.code() != ErrorCode::kBusy && error.code() != ErrorCode::kInterrupted;
      if (location < 0 || !of_the_text) throw;
      throw sql::placed(error, source, location);
    }
  }
  context.forget_catalog();
  COPPICE_ASSERT(published.has_value());
  for (const std::string& notice : notices) {
    if (sink != nullptr) sink->notice(notice);
  }
  return *published;
}

}  // namespace coppice::engine
