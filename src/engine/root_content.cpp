#include "engine/root_content.h"

#include <fmt/core.h>

#include <algorithm>

#include "backup/field_hash.h"
#include "base/clock.h"
#include "base/text.h"
#include "config/config.h"
#include "config/settings.h"
#include "engine/root_history.h"
#include "engine/schema_catalog.h"
#include "pg/row_stream.h"
#include "pg/transaction.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;

// Of the schema, while others change it.
constexpr int kAttempts = 30;
constexpr std::chrono::milliseconds kFirstPause{5};
constexpr std::chrono::milliseconds kLongestPause{200};

// What says which cells a statement writes, or what functions answer; not how fast.
constexpr std::string_view kContentSettings[] = {
    "media.max_pixels",
    "media.references",
    "media.validate",
    "retention.keep",
    "services.anthropic.base_url",
    "services.gemini.base_url",
    "services.openai.base_url",
};

// As config.toml has them: the environment is not the home's.
std::vector<std::pair<std::string, std::string>> content_settings(const Config& config) {
  const Config kept = Config::load({config.home(), std::nullopt, {}});
  std::vector<std::pair<std::string, std::string>> settings;
  for (const std::string_view key : kContentSettings) {
    const std::string& text = kept.text(key);
    if (text != find_setting(key)->default_value) settings.emplace_back(key, text);
  }
  return settings;
}

template <typename T, typename Key>
std::vector<const T*> sorted(const std::vector<T>& entries, const Key& key) {
  std::vector<const T*> order;
  order.reserve(entries.size());
  for (const T& entry : entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [&](const T* a, const T* b) { return key(*a) < key(*b); });
  return order;
}

std::optional<std::string> sequence_text(const TableContent& content, const ColumnInfo& column) {
  const ColumnDraft* const draft = content.model->find_column(column.name);
  if (draft == nullptr) return std::nullopt;
  if (draft->serial) return "serial";
  return draft->info.identity ? std::optional(draft->sequence_options) : std::nullopt;
}

void add_constraints(FieldHash& hash, const TableModel& model) {
  hash.count(model.draft.constraints.size());
  for (const ConstraintDraft* constraint :
       sorted(model.draft.constraints, [](const ConstraintDraft& one) { return one.name; })) {
    hash.text(constraint->name)
        .text(catalog::constraint_kind_name(constraint->kind))
        .optional(constraint->expression)
        .flag(constraint->nulls_distinct)
        .count(constraint->columns.size());
    for (const std::string& column : constraint->columns) hash.text(column);
  }
}

void add_indexes(FieldHash& hash, const TableModel& model) {
  hash.count(model.indexes.size());
  for (const IndexModel* index :
       sorted(model.indexes, [](const IndexModel& one) { return one.name; })) {
    hash.text(index->name).text(index->definition);
  }
}

void add_functions(FieldHash& hash, EngineContext& context, const SchemaModel& schema) {
  hash.count(schema.functions.size());
  for (const FunctionModel* function :
       sorted(schema.functions, [](const FunctionModel& one) { return one.id; })) {
    const UserFunction* const code = context.user_functions.find(function->id);
    hash.text(function->id).text(function->text);
    hash.optional(code == nullptr ? std::nullopt : std::optional(code->digest));
    hash.optional(function->comment);
  }
}

void add_views(FieldHash& hash, const SchemaModel& schema) {
  hash.count(schema.views.size());
  for (const ViewModel* view : sorted(schema.views, [](const ViewModel& one) {
         return std::pair(one.name.schema, one.name.name);
       })) {
    hash.text(view->name.schema).text(view->name.name).count(view->columns.size());
    for (const std::string& column : view->columns) hash.text(column);
    hash.text(view->definition).optional(view->comment);
  }
}

void add_grants(FieldHash& hash, const SchemaModel& schema) {
  hash.count(schema.grants.size());
  for (const GrantModel* grant : sorted(schema.grants, [](const GrantModel& one) {
         return std::tuple(one.on_schema, one.object.schema, one.object.name, one.column,
                           one.grantee);
       })) {
    hash.flag(grant->on_schema)
        .text(grant->object.schema)
        .text(grant->object.name)
        .text(grant->column)
        .text(grant->grantee)
        .flag(grant->with_grant_option);
  }
}

// What changes with every change of a schema. PostgreSQL's functions that print definitions show
// what is there now, whatever the transaction sees: what is read counts if this has stayed the
// same.
std::string schema_mark(EngineContext& context) {
  const pg::Result mark = context.main.exec(
      "SELECT md5(string_agg(m, ' ' ORDER BY m)) FROM ("
      "SELECT 'r' || tree_id || ':' || schema_version FROM coppice.trees "
      "UNION ALL SELECT 't' || table_id || ':' || xmin FROM coppice.tables "
      "UNION ALL SELECT 'v' || view_id || ':' || xmin FROM coppice.views "
      "UNION ALL SELECT 'i' || index_id || ':' || xmin FROM coppice.indexes "
      "UNION ALL SELECT 'c' || c.oid || ':' || c.xmin FROM pg_class c "
      "JOIN pg_namespace n ON n.oid = c.relnamespace "
      "JOIN coppice.schemas s ON s.schema_name = n.nspname "
      "UNION ALL SELECT 'f' || p.oid || ':' || p.xmin FROM pg_proc p "
      "JOIN pg_namespace n ON n.oid = p.pronamespace "
      "JOIN coppice.schemas s ON s.schema_name = n.nspname) AS marks(m)");
  return std::string(mark.is_null(0, 0) ? "" : mark.text(0, 0));
}

// Also whether the schema stayed the same meanwhile.
std::pair<HomeContent, bool> try_content(EngineContext& context, bool with_history,
                                         const std::function<void(const HomeContent&)>& meanwhile) {
  HomeContent content;
  content.settings = content_settings(context.config);
  // Views over versions may have to be made (resolve_versions()): not read-only.
  pg::EnclosingTransaction transaction(context.main);
  context.main.exec("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ");
  context.main.exec("SET LOCAL TimeZone = 'UTC'");
  const std::string mark = schema_mark(context);
  context.refresh_functions();
  content.moment = context.main.exec("SELECT statement_timestamp()").text(0, 0);
  content.schema = schema_in_catalog(context);
  for (const TableModel* model : sorted(content.schema.tables, [](const TableModel& one) {
         return std::pair(one.name.schema, one.name.name);
       })) {
    catalog::TablePointer table = context.catalog.table(model->name);
    const catalog::VersionInfo version = context.catalog.version_info(*table, table->version);
    content.tables.push_back({std::move(table), version, model, {}});
  }
  if (with_history) read_history(context, content);
  if (meanwhile) meanwhile(content);
  transaction.commit();
  return {std::move(content), schema_mark(context) == mark};
}

}  // namespace

HomeContent read_content(EngineContext& context, bool with_history,
                         const std::function<void(const HomeContent&)>& meanwhile) {
  for (int attempt = 1;; ++attempt) {
    context.check_stop();
    try {
      auto [content, is_settled] = try_content(context, with_history, meanwhile);
      if (is_settled) return std::move(content);
      if (attempt == kAttempts) throw ContentMoved();
    } catch (const Error& error) {
      const bool is_final =
          error.code() == ErrorCode::kInterrupted || error.code() == ErrorCode::kUnavailable;
      if (is_final || attempt == kAttempts) throw;
    }
    SystemClock().sleep(backoff(attempt, kFirstPause, kLongestPause));
  }
}

Digest column_root(const TableContent& content, const ColumnInfo& column, const LatticeSum* sum) {
  FieldHash hash("coppice root 1 column");
  hash.text(column.name)
      .text(canonical_type(column.type))
      .flag(column.not_null)
      .optional(column.default_sql)
      .optional(column.identity)
      .optional(sequence_text(content, column))
      .optional(column.expression)
      .optional(column.derived)
      .text(column.on_error == catalog::OnError::kIgnore ? "ignore" : "abort")
      .text(column.backup)
      .text(column.references)
      .optional(column.comment);
  if (sum == nullptr) return hash.optional(std::nullopt).finish();
  return hash.digest(sum->digest()).finish();
}

Digest table_root(const TableContent& content, const std::vector<Digest>& columns,
                  const TableSums& sums, const Digest& references) {
  const TableModel& model = *content.model;
  FieldHash hash("coppice root 1 table");
  hash.text(model.name.schema)
      .text(model.name.name)
      .optional(model.query)
      .optional(model.retention)
      .optional(model.comment)
      .count(columns.size());
  for (const Digest& column : columns) hash.digest(column);
  if (sums.rows) {
    hash.digest(sums.rows->digest());
  } else {
    hash.optional(std::nullopt);
  }
  add_constraints(hash, model);
  add_indexes(hash, model);
  return hash.digest(references).finish();
}

Digest references_digest(EngineContext& context, pg::Connection& reading,
                         const TableContent& content, const std::string& moment) {
  FieldHash hash("coppice root 1 references");
  std::vector<std::string> cells;
  for (const ColumnInfo* column : content.table->visible_columns()) {
    if (!column->media_kind()) continue;
    cells.push_back(
        fmt::format("SELECT DISTINCT {0}::text AS url FROM {1} WHERE {2} AND {0} ~* '^https?:'",
                    column->physical, content.table->store_table(), visible_at(content.version)));
  }
  const bool any =
      !cells.empty() &&
      context.main.exec("SELECT EXISTS (SELECT FROM coppice.media_references)").boolean(0, 0);
  if (!any) return hash.finish();
  pg::RowStream rows(
      reading, fmt::format("SELECT c.url, r.name FROM ({}) c, LATERAL ("
                           "SELECT m.name FROM coppice.media_references m "
                           "JOIN coppice.operations o USING (tree_id, op_id) "
                           "WHERE m.url_sha256 = encode(sha256(convert_to(c.url, 'UTF8')), 'hex') "
                           "AND o.state = 'published' AND o.ended_at <= {} "
                           "ORDER BY o.ended_at DESC, m.tree_id, m.op_id DESC LIMIT 1) r "
                           "WHERE r.name IS NOT NULL ORDER BY c.url COLLATE \"C\"",
                           join(cells, " UNION "), sql::quote_literal(moment) + "::timestamptz"));
  while (rows.next()) hash.text(*rows.row()[0]).text(*rows.row()[1]);
  return hash.finish();
}

Digest home_root(EngineContext& context, const HomeContent& content,
                 const std::vector<Digest>& tables) {
  FieldHash hash("coppice root 1 home");
  hash.count(content.settings.size());
  for (const auto& [key, text] : content.settings) hash.text(key).text(text);
  hash.count(content.schema.schemas.size());
  for (const NamedSchema* schema :
       sorted(content.schema.schemas, [](const NamedSchema& one) { return one.name; })) {
    hash.text(schema->name).optional(schema->comment);
  }
  add_functions(hash, context, content.schema);
  hash.count(tables.size());
  for (const Digest& table : tables) hash.digest(table);
  add_views(hash, content.schema);
  add_grants(hash, content.schema);
  return hash.finish();
}

}  // namespace coppice::engine
