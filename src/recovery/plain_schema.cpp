#include "recovery/plain_schema.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "catalog/expressions.h"
#include "engine/schema_text.h"
#include "recovery/home_schema.h"
#include "sql/names.h"

namespace coppice::recovery {
namespace {

using engine::ColumnDraft;
using engine::ConstraintDraft;
using engine::EngineContext;
using engine::TableModel;
using nlohmann::json;
using sql::quote_identifier;
using sql::quote_literal;

// Functions that PostgreSQL runs, and views, by the server's number of them.
constexpr const char* kFunctions =
    "SELECT p.oid, pg_get_functiondef(p.oid), p.oid::regprocedure::text, "
    "obj_description(p.oid, 'pg_proc') FROM pg_proc p "
    "JOIN pg_namespace n ON n.oid = p.pronamespace "
    "JOIN coppice.schemas s ON s.schema_name = n.nspname "
    "JOIN pg_language l ON l.oid = p.prolang "
    "WHERE l.lanname IN ('sql', 'plpgsql') AND p.prokind = 'f' "
    "AND pg_has_role(p.proowner, 'MEMBER') AND NOT EXISTS (SELECT FROM pg_depend d "
    "WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e') "
    "AND NOT EXISTS (SELECT FROM coppice.functions f WHERE f.schema_name = n.nspname "
    "AND f.function_name = p.proname AND f.replaced_at IS NULL) ORDER BY p.oid";

constexpr const char* kViews =
    "SELECT c.oid, v.schema_name, v.view_name, v.uses_engine FROM coppice.views v JOIN pg_class c "
    "ON c.oid = to_regclass(format('%I.%I', v.schema_name, v.view_name)) ORDER BY c.oid";

// What views and functions need: an object among them, a table of the user ('t'), or what is there
// in no other server ('x'). Row types stand for their relations.
constexpr const char* kNeeds =
    "WITH need AS (SELECT r.ev_class AS oid, d.refclassid AS class, d.refobjid AS ref "
    "FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid "
    "WHERE d.refobjid <> r.ev_class "
    "UNION SELECT d.objid, d.refclassid, d.refobjid FROM pg_depend d "
    "WHERE d.classid = 'pg_proc'::regclass AND d.deptype <> 'e'), "
    "typed AS (SELECT n.oid, 'pg_class'::regclass AS class, t.typrelid AS ref FROM need n "
    "JOIN pg_type a ON a.oid = n.ref JOIN pg_type t ON t.oid IN (a.oid, a.typelem) "
    "AND t.typrelid <> 0 WHERE n.class = 'pg_type'::regclass "
    "UNION SELECT * FROM need WHERE class IN ('pg_class'::regclass, 'pg_proc'::regclass)) "
    "SELECT n.oid, n.ref, CASE WHEN c.relnamespace IN ('coppice'::regnamespace, "
    "'coppice_store'::regnamespace, 'coppice_asof'::regnamespace) THEN 'x' "
    "WHEN p.pronamespace = 'coppice'::regnamespace THEN 'x' "
    "WHEN EXISTS (SELECT FROM coppice.tables t WHERE to_regclass(format('%I.%I', t.schema_name, "
    "t.table_name)) = c.oid) THEN 't' ELSE 'o' END "
    "FROM typed n LEFT JOIN pg_class c ON c.oid = n.ref AND n.class = 'pg_class'::regclass "
    "LEFT JOIN pg_proc p ON p.oid = n.ref AND n.class = 'pg_proc'::regclass";

struct Object {
  std::int64_t oid = 0;
  std::string what;  // "view films.few"
  std::string sql;
  std::vector<std::string> after;  // comments
  std::set<std::int64_t> needs;    // objects
  bool needs_table = false;
  std::string left_out;  // why
  bool is_written = false;
};

// Views, functions and aggregates, each behind what it needs.
class Objects {
 public:
  Objects(EngineContext& context, const engine::HomeContent& content) {
    read_functions(context.main);
    read_views(context.main, content);
    read_needs(context.main);
  }

  // Those that need no table, or the others.
  void write(bool with_tables, json& statements) {
    for (bool more = true; more;) {
      more = false;
      for (Object& object : objects_) {
        if (object.is_written || !can_be_written(object, with_tables)) continue;
        object.is_written = more = true;
        statements.push_back(object.sql);
        for (const std::string& text : object.after) statements.push_back(text);
      }
    }
  }

  json left_out() const {
    json list = json::array();
    for (const Object& object : objects_) {
      if (!object.is_written) {
        list.push_back(fmt::format(
            "{}: it {}", object.what,
            object.left_out.empty() ? "needs what is left out or itself" : object.left_out));
      }
    }
    return list;
  }
  bool is_left_out(const std::string& what) const {
    return std::any_of(objects_.begin(), objects_.end(), [&](const Object& object) {
      return object.what == what && !object.is_written;
    });
  }

 private:
  void read_functions(pg::Connection& connection) {
    const pg::Result rows = connection.exec(kFunctions);
    for (int row = 0; row < rows.rows(); ++row) {
      Object object;
      object.oid = rows.integer(row, 0);
      object.sql = rows.text(row, 1);
      object.what = fmt::format("function {}", rows.text(row, 2));
      if (const auto comment = rows.value(row, 3)) {
        object.after.push_back(engine::comment_text(fmt::format("FUNCTION {}", rows.text(row, 2)),
                                                    std::string(*comment)));
      }
      objects_.push_back(std::move(object));
    }
    for (const AggregateText& aggregate : aggregates_of(connection)) {
      Object object;
      object.oid = aggregate.oid;
      object.sql = aggregate.sql;
      object.what = "aggregate " + aggregate.name;
      objects_.push_back(std::move(object));
    }
  }

  void read_views(pg::Connection& connection, const engine::HomeContent& content) {
    const pg::Result rows = connection.exec(kViews);
    for (int row = 0; row < rows.rows(); ++row) {
      const sql::QualifiedName name{std::string(rows.text(row, 1)), std::string(rows.text(row, 2))};
      const engine::ViewModel* view = content.schema.find_view(name);
      if (view == nullptr) continue;
      Object object;
      object.oid = rows.integer(row, 0);
      object.what = "view " + name.text();
      object.sql = engine::create_view_text(*view, false);
      object.needs_table = true;
      if (rows.boolean(row, 3)) object.left_out = "calls engine functions";
      if (view->comment) {
        object.after.push_back(engine::comment_text("VIEW " + name.text(), view->comment));
      }
      objects_.push_back(std::move(object));
    }
  }

  void read_needs(pg::Connection& connection) {
    const pg::Result rows = connection.exec(kNeeds);
    for (int row = 0; row < rows.rows(); ++row) {
      Object* const object = find(rows.integer(row, 0));
      if (object == nullptr) continue;
      const std::string_view kind = rows.text(row, 2);
      if (kind == "t") object->needs_table = true;
      if (kind == "x" && object->left_out.empty()) {
        object->left_out = "reads older versions, or the catalog";
      }
      if (find(rows.integer(row, 1)) != nullptr) object->needs.insert(rows.integer(row, 1));
    }
  }

  bool can_be_written(const Object& object, bool with_tables) {
    if (!object.left_out.empty() || (object.needs_table && !with_tables)) return false;
    return std::all_of(object.needs.begin(), object.needs.end(), [&](std::int64_t oid) {
      return oid == object.oid || find(oid)->is_written;
    });
  }

  Object* find(std::int64_t oid) {
    for (Object& object : objects_) {
      if (object.oid == oid) return &object;
    }
    return nullptr;
  }

  std::vector<Object> objects_;
};

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::replace(text.begin(), text.end(), '\r', ' ');
  return text;
}

std::string serial_type(const std::string& type) {
  return type == "smallint" ? "smallserial" : type == "integer" ? "serial" : "bigserial";
}

std::string column_text(const catalog::ColumnInfo& column, const ColumnDraft* draft) {
  const bool serial = draft != nullptr && draft->serial;
  std::string text =
      fmt::format("{} {}", quote_identifier(column.name),
                  serial ? serial_type(draft->info.type) : catalog::store_type(column.type));
  if (draft != nullptr && column.identity) text += " " + engine::identity_text(*draft);
  if (column.not_null && !serial && !column.identity) text += " NOT NULL";
  return text;
}

// A table of the user, or a materialized view.
class PlainTable {
 public:
  PlainTable(EngineContext& context, const engine::TableContent& content)
      : context_(context),
        table_(*content.table),
        model_(*content.model),
        name_(table_.name.text()) {
    for (const catalog::ColumnInfo* column : table_.visible_columns()) columns_.push_back(column);
  }

  json text() {
    json columns = json::array();
    for (const catalog::ColumnInfo* column : columns_) {
      columns.push_back({{"name", column->name}, {"physical", column->physical}});
    }
    return {{"table_id", table_.table_id}, {"name", name_},  {"create", create_text()},
            {"columns", columns},          {"keys", keys()}, {"rest", rest()}};
  }
  // Indexes that cannot be written as SQL: no reason not to make a backup.
  const std::vector<std::string>& left_out() const { return left_out_; }

 private:
  const ColumnDraft* draft_of(const catalog::ColumnInfo& column) const {
    return model_.find_column(column.name);
  }

  std::string create_text() const {
    std::string about;
    if (model_.query) {
      about =
          fmt::format("-- Coppice kept it as a materialized view: {}\n", one_line(*model_.query));
    }
    std::vector<std::string> lines;
    for (const catalog::ColumnInfo* column : columns_) {
      lines.push_back(column_text(*column, draft_of(*column)));
      if (!column->expression) continue;
      about += fmt::format("-- {} was computed: {}\n", quote_identifier(one_line(column->name)),
                           one_line(*column->expression));
    }
    return fmt::format("{}CREATE TABLE {} (\n  {}\n)", about, name_, join(lines, ",\n  "));
  }

  // What is there before views: they may rely on a primary key.
  json keys() {
    json list = json::array();
    for (const ConstraintDraft& constraint : model_.draft.constraints) {
      if (constraint.kind != catalog::ConstraintKind::kCheck) add(constraint, list);
    }
    for (const engine::IndexModel& index : model_.indexes) {
      try {
        list.push_back(engine::create_index_text(table_.name, index));
      } catch (const Error& error) {
        if (error.code() != ErrorCode::kUnsupported) throw;
        left_out_.push_back(fmt::format("index {} of {}: {}", index.name, name_, error.message()));
      }
    }
    return list;
  }

  // What may call functions that read tables.
  json rest() const {
    json list = json::array();
    for (const catalog::ColumnInfo* column : columns_) {
      const ColumnDraft* const draft = draft_of(*column);
      if (column->sequence) add_position(*column, list);
      if (column->default_sql && draft != nullptr && !draft->serial && !column->identity) {
        list.push_back(fmt::format("ALTER TABLE {} ALTER {} SET DEFAULT {}", name_,
                                   quote_identifier(column->name), *column->default_sql));
      }
    }
    for (const ConstraintDraft& constraint : model_.draft.constraints) {
      if (constraint.kind == catalog::ConstraintKind::kCheck) add(constraint, list);
    }
    if (model_.comment) list.push_back(engine::comment_text("TABLE " + name_, model_.comment));
    for (const catalog::ColumnInfo* column : columns_) {
      if (!column->comment) continue;
      list.push_back(engine::comment_text(
          fmt::format("COLUMN {}.{}", name_, quote_identifier(column->name)), column->comment));
    }
    return list;
  }

  void add(const ConstraintDraft& constraint, json& list) const {
    list.push_back(
        fmt::format("ALTER TABLE {} ADD {}", name_, engine::constraint_text(constraint)));
  }

  // The sequence goes on behind what it has given.
  void add_position(const catalog::ColumnInfo& column, json& list) const {
    const pg::Result last = context_.main.exec_params(
        "SELECT pg_sequence_last_value(to_regclass($1))", {*column.sequence});
    if (last.rows() == 0 || last.is_null(0, 0)) return;
    list.push_back(fmt::format("SELECT setval(pg_get_serial_sequence({}, {}), {})",
                               quote_literal(name_), quote_literal(column.name), last.text(0, 0)));
  }

  EngineContext& context_;
  const catalog::TableInfo& table_;
  const TableModel& model_;
  const std::string name_;
  std::vector<const catalog::ColumnInfo*> columns_;
  std::vector<std::string> left_out_;
};

// A server that is new need not have the role.
std::string where_role_exists(const engine::GrantModel& grant) {
  const std::string text = engine::grant_text(grant, false);
  if (grant.grantee.empty()) return text;
  const std::string body = fmt::format(
      "BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = {0}) THEN EXECUTE {1}; ELSE "
      "RAISE NOTICE 'there is no role %: left out: %', {0}, {1}; END IF; END",
      quote_literal(grant.grantee), quote_literal(text));
  return "DO " + quote_literal(body);
}

}  // namespace

void write_plain_schema(EngineContext& context, const engine::HomeContent& content,
                        TreeBuilder& home) {
  json plain = {{"before", json::array()}, {"tables", json::array()}, {"after", json::array()}};
  json grants = json::array();
  for (const engine::NamedSchema& schema : content.schema.schemas) {
    const std::string name = quote_identifier(schema.name);
    plain["before"].push_back("CREATE SCHEMA " + name);
    if (!schema.comment) continue;
    plain["before"].push_back(engine::comment_text("SCHEMA " + name, schema.comment));
  }
  Objects objects(context, content);
  objects.write(false, plain["before"]);
  std::vector<std::string> left_out;
  for (const engine::TableContent& content_of : content.tables) {
    PlainTable table(context, content_of);
    plain["tables"].push_back(table.text());
    left_out.insert(left_out.end(), table.left_out().begin(), table.left_out().end());
  }
  objects.write(true, plain["after"]);
  for (const engine::GrantModel& grant : content.schema.grants) {
    if (!grant.on_schema && objects.is_left_out("view " + grant.object.text())) continue;
    grants.push_back(where_role_exists(grant));
  }
  plain["grants"] = std::move(grants);
  plain["left_out"] = objects.left_out();
  for (std::string& what : left_out) plain["left_out"].push_back(std::move(what));
  for (const engine::UserFunction& function : context.user_functions.all()) {
    plain["left_out"].push_back(
        fmt::format("function {}: it is run by Coppice", function.signature.id));
  }
  home.members()["plain"] = std::move(plain);
}

}  // namespace coppice::recovery
