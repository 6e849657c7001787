#include "recovery/home_schema.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/text.h"
#include "engine/quiet_sinks.h"
#include "engine/run_sql.h"
#include "engine/schema_text.h"
#include "pg/transaction.h"
#include "sql/names.h"

namespace coppice::recovery {
namespace {

using engine::EngineContext;
using nlohmann::json;
using sql::quote_identifier;

// Those of the store: of rows, and of serial and identity columns.
constexpr const char* kSequences =
    "SELECT quote_ident(schemaname) || '.' || quote_ident(sequencename), data_type::text, "
    "start_value, min_value, max_value, increment_by, cache_size, cycle, last_value "
    "FROM pg_sequences WHERE schemaname = 'coppice_store' "
    "OR (schemaname = 'coppice' AND sequencename = 'ids') ORDER BY 1";

constexpr const char* kIndexes =
    "SELECT i.table_id, pg_get_indexdef(format('coppice_store.%I', i.store_name)::regclass) "
    "FROM coppice.indexes i ORDER BY i.index_id";

// PostgreSQL has no function that prints an aggregate.
constexpr const char* kAggregates =
    "SELECT p.oid, p.oid::regprocedure::text, "
    "format('CREATE OR REPLACE AGGREGATE %I.%I(%s) (%s)', n.nspname, p.proname, "
    "CASE WHEN p.pronargs = 0 THEN '*' ELSE pg_get_function_arguments(p.oid) END, "
    "concat_ws(', ', 'SFUNC = ' || a.aggtransfn::regproc, "
    "'STYPE = ' || format_type(a.aggtranstype, NULL), "
    "'SSPACE = ' || nullif(a.aggtransspace, 0), "
    "'FINALFUNC = ' || nullif(a.aggfinalfn::oid, 0)::regproc, "
    "CASE WHEN a.aggfinalextra THEN 'FINALFUNC_EXTRA' END, "
    "'COMBINEFUNC = ' || nullif(a.aggcombinefn::oid, 0)::regproc, "
    "'SERIALFUNC = ' || nullif(a.aggserialfn::oid, 0)::regproc, "
    "'DESERIALFUNC = ' || nullif(a.aggdeserialfn::oid, 0)::regproc, "
    "'INITCOND = ' || quote_literal(a.agginitval), "
    "'MSFUNC = ' || nullif(a.aggmtransfn::oid, 0)::regproc, "
    "'MINVFUNC = ' || nullif(a.aggminvtransfn::oid, 0)::regproc, "
    "CASE WHEN a.aggmtranstype <> 0 THEN 'MSTYPE = ' || format_type(a.aggmtranstype, NULL) END, "
    "'MFINALFUNC = ' || nullif(a.aggmfinalfn::oid, 0)::regproc, "
    "'MINITCOND = ' || quote_literal(a.aggminitval), "
    "'PARALLEL = ' || CASE p.proparallel WHEN 's' THEN 'SAFE' WHEN 'r' THEN 'RESTRICTED' "
    "ELSE 'UNSAFE' END)), "
    "(SELECT string_agg(u.pronamespace::regnamespace || '.' || quote_ident(u.proname), E'\\n') "
    "FROM pg_proc u WHERE u.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, "
    "a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn)) "
    "FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid "
    "JOIN pg_namespace n ON n.oid = p.pronamespace "
    "JOIN coppice.schemas s ON s.schema_name = n.nspname "
    "WHERE a.aggkind = 'n' AND NOT EXISTS (SELECT FROM pg_depend d "
    "WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e') ORDER BY p.oid";

std::int64_t table_of_sequence(const std::string& name) {
  // coppice_store.t12_row_seq
  constexpr std::string_view kPrefix = "coppice_store.t";
  return name.starts_with(kPrefix) ? std::stoll(name.substr(kPrefix.size())) : 0;
}

json sequences(pg::Connection& connection) {
  const pg::Result rows = connection.exec(kSequences);
  json list = json::array();
  for (int row = 0; row < rows.rows(); ++row) {
    const json last = rows.is_null(row, 8) ? json() : json(rows.integer(row, 8));
    list.push_back({{"name", rows.text(row, 0)},
                    {"type", rows.text(row, 1)},
                    {"start", rows.integer(row, 2)},
                    {"minimum", rows.integer(row, 3)},
                    {"maximum", rows.integer(row, 4)},
                    {"increment", rows.integer(row, 5)},
                    {"cache", rows.integer(row, 6)},
                    {"cycle", rows.boolean(row, 7)},
                    {"last", last}});
  }
  return list;
}

json texts(const pg::Result& rows) {
  json list = json::array();
  for (int row = 0; row < rows.rows(); ++row) list.push_back(rows.text(row, 0));
  return list;
}

json functions(EngineContext& context, const engine::SchemaModel& schema, json& rights) {
  json list = json::array();
  std::set<std::string> late;
  for (const engine::FunctionModel& function : schema.functions) {
    if (context.user_functions.find(function.id) != nullptr) continue;  // the catalog has it
    if (function.after_views) {
      late.insert(quote_identifier(function.name.schema) + "." +
                  quote_identifier(function.name.name));
    }
    list.push_back({{"sql", function.text}, {"after_views", function.after_views}});
    if (function.comment) {
      rights.push_back(engine::comment_text("FUNCTION " + function.reference, function.comment));
    }
  }
  for (const AggregateText& aggregate : aggregates_of(context.main)) {
    const bool after_views = std::any_of(aggregate.functions.begin(), aggregate.functions.end(),
                                         [&](const auto& name) { return late.contains(name); });
    list.push_back({{"sql", aggregate.sql}, {"after_views", after_views}});
  }
  return list;
}

void add_rights_of(EngineContext& context, const sql::QualifiedName& relation, json& rights) {
  const std::string name =
      quote_identifier(relation.schema) + "." + quote_identifier(relation.name);
  const pg::Result rows =
      context.main.exec_params("SELECT coppice.rights_and_comments($1)", {name});
  for (const json& text : texts(rows)) rights.push_back(text);
}

void run(EngineContext& context, const std::string& statement) {
  engine::SilentSink silent;
  engine::run_script(context, statement, {}, silent);
}

// Functions and views may read each other: what lacks another one is tried again after it. Gives
// the first error when some cannot be made.
std::optional<Error> run_in_any_order(EngineContext& context, std::vector<std::string> statements) {
  std::optional<Error> first;
  while (!statements.empty()) {
    std::vector<std::string> left;
    first.reset();
    for (const std::string& statement : statements) {
      pg::Savepoint savepoint(context.main, "coppice_restore");
      try {
        run(context, statement);
        savepoint.release();
      } catch (const Error& error) {
        if (error.code() == ErrorCode::kUnavailable) throw;
        savepoint.rollback();
        context.forget_catalog();
        if (!first) first = error;
        left.push_back(statement);
      }
    }
    if (left.size() == statements.size()) break;
    statements = std::move(left);
  }
  return first;
}

void add_functions(const Tree& home, bool after_views, std::vector<std::string>& statements) {
  for (const json& function : home.member("functions")) {
    if (function.at("after_views").get<bool>() != after_views) continue;
    statements.push_back(function.at("sql").get<std::string>());
  }
}

void make_roles(EngineContext& context, const Tree& home, ResultSink& sink) {
  for (const json& item : home.member("roles")) {
    const auto role = item.get<std::string>();
    const bool there =
        context.main.exec_params("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", {role})
            .boolean(0, 0);
    if (there) continue;
    context.main.exec("CREATE ROLE " + quote_identifier(role) + " NOLOGIN");
    sink.notice(fmt::format(
        "the role {} was made without LOGIN: backups hold no passwords; if somebody connects as "
        "it: ALTER ROLE {} LOGIN PASSWORD '…'",
        role, quote_identifier(role)));
  }
}

}  // namespace

std::vector<AggregateText> aggregates_of(pg::Connection& connection) {
  const pg::Result rows = connection.exec(kAggregates);
  std::vector<AggregateText> aggregates;
  for (int row = 0; row < rows.rows(); ++row) {
    aggregates.push_back({rows.integer(row, 0), std::string(rows.text(row, 1)),
                          std::string(rows.text(row, 2)), split(rows.text(row, 3), '\n')});
  }
  return aggregates;
}

void write_schema(EngineContext& context, const engine::HomeContent& content, TreeBuilder& home) {
  json& members = home.members();
  json rights = json::array();
  std::set<std::string> roles;
  members["sequences"] = sequences(context.main);
  members["schemas"] = json::array();
  for (const engine::NamedSchema& schema : content.schema.schemas) {
    members["schemas"].push_back(schema.name);
    if (schema.comment) {
      rights.push_back(
          engine::comment_text("SCHEMA " + quote_identifier(schema.name), schema.comment));
    }
  }
  members["functions"] = functions(context, content.schema, rights);
  members["indexes"] = json::array();
  const pg::Result indexes = context.main.exec(kIndexes);
  for (int row = 0; row < indexes.rows(); ++row) {
    members["indexes"].push_back(
        {{"table_id", indexes.integer(row, 0)}, {"sql", indexes.text(row, 1)}});
  }
  for (const engine::TableModel& table : content.schema.tables) {
    add_rights_of(context, table.name, rights);
  }
  members["views"] = json::array();
  std::vector<engine::ViewModel> views = content.schema.views;
  engine::sort_by_dependency(views);
  for (const engine::ViewModel& view : views) {
    members["views"].push_back(engine::create_view_text(view, false));
    add_rights_of(context, view.name, rights);
  }
  for (const engine::GrantModel& grant : content.schema.grants) {
    if (grant.on_schema) rights.push_back(engine::grant_text(grant, false));
    if (!grant.grantee.empty()) roles.insert(grant.grantee);
  }
  members["rights"] = std::move(rights);
  members["roles"] = roles;
}

void make_schemas(EngineContext& context, const Tree& home) {
  home.checked([&] {
    for (const json& schema : home.member("schemas")) {
      const auto name = schema.get<std::string>();
      if (context.catalog.has_schema(name)) continue;
      run(context, "CREATE SCHEMA " + quote_identifier(name));
    }
  });
}

void make_sequences(pg::Connection& connection, const Tree& home) {
  home.checked([&] {
    for (const json& sequence : home.member("sequences")) {
      const auto name = sequence.at("name").get<std::string>();
      // The store makes those of rows itself.
      if (table_of_sequence(name) == 0 || name.ends_with("_row_seq")) continue;
      connection.exec(fmt::format(
          "CREATE SEQUENCE IF NOT EXISTS {} AS {} INCREMENT {} MINVALUE {} MAXVALUE {} START {} "
          "CACHE {}{}",
          name, sequence.at("type").get<std::string>(),
          sequence.at("increment").get<std::int64_t>(), sequence.at("minimum").get<std::int64_t>(),
          sequence.at("maximum").get<std::int64_t>(), sequence.at("start").get<std::int64_t>(),
          sequence.at("cache").get<std::int64_t>(),
          sequence.at("cycle").get<bool>() ? " CYCLE" : ""));
    }
  });
}

void set_sequences(pg::Connection& connection, const Tree& home) {
  home.checked([&] {
    for (const json& sequence : home.member("sequences")) {
      if (sequence.at("last").is_null()) continue;
      connection.exec_params(
          "SELECT setval(to_regclass($1), $2::bigint) "
          "WHERE to_regclass($1) IS NOT NULL",
          {sequence.at("name").get<std::string>(),
           std::to_string(sequence.at("last").get<std::int64_t>())});
    }
  });
}

void make_early_functions(EngineContext& context, const Tree& home) {
  home.checked([&] {
    std::vector<std::string> statements;
    add_functions(home, false, statements);
    // Those whose arguments are rows of tables are made when the tables are there.
    run_in_any_order(context, std::move(statements));
  });
}

void make_views(EngineContext& context, const Tree& home, ResultSink& sink) {
  home.checked([&] {
    auto statements = home.member("views").get<std::vector<std::string>>();
    add_functions(home, false, statements);
    add_functions(home, true, statements);
    if (const auto error = run_in_any_order(context, std::move(statements))) throw Error(*error);
    make_roles(context, home, sink);
    for (const json& right : home.member("rights")) context.main.exec(right.get<std::string>());
  });
}

}  // namespace coppice::recovery
