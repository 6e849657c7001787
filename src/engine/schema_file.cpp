#include "engine/schema_file.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "catalog/expressions.h"
#include "engine/migrations.h"
#include "engine/schema_functions.h"
#include "engine/table_options.h"
#include "sql/classify.h"
#include "sql/deparse.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using catalog::ConstraintKind;
using sql::as;
using sql::Statement;
using sql::StatementKind;

sql::QualifiedName with_schema(sql::QualifiedName name) {
  if (name.schema.empty()) name.schema = "public";
  return name;
}

std::optional<std::string> comment_of(const PgQuery__CommentStmt& node) {
  if (node.comment == nullptr || *node.comment == '\0') return std::nullopt;
  return node.comment;
}

class FileReader {
 public:
  explicit FileReader(SchemaModel& model) : model_(model) {}

  // Tables first: the other statements may stand in front of what they are about.
  void read() {
    for (Statement& statement : model_.statements) {
      statement_ = &statement;
      const StatementKind kind = sql::require_supported(statement);
      if (kind == StatementKind::kCreateTable) read_table();
      if (kind == StatementKind::kCreateView) read_view();
      if (kind == StatementKind::kCreateMaterializedView) read_materialized();
      if (kind == StatementKind::kCreateSchema) read_schema();
      if (kind == StatementKind::kCreateFunction) read_function();
    }
    for (Statement& statement : model_.statements) {
      statement_ = &statement;
      read_other(sql::classify(statement).kind);
    }
    for (TableModel& table : model_.tables) complete(table);
    sort_by_dependency(model_.views);
  }

 private:
  [[noreturn]] void fail(ErrorCode code, std::ptrdiff_t location, const std::string& what,
                         std::string hint = {}) const {
    throw statement_->error(code, location, what, std::move(hint));
  }
  SchemaPlace place(std::ptrdiff_t location = 0) const {
    return {statement_->source(), std::max<std::ptrdiff_t>(location, 0)};
  }

  void refuse_second(const sql::QualifiedName& name, std::ptrdiff_t location) const {
    if (model_.find_table(name) == nullptr && model_.find_view(name) == nullptr) return;
    fail(ErrorCode::kAlreadyExists, location,
         fmt::format("\"{}\" is described twice in this file", name.name));
  }

  void read_schema() {
    const auto& create = *as<PgQuery__CreateSchemaStmt>(statement_->node());
    const std::string name = create.schemaname == nullptr ? "" : create.schemaname;
    if (name.empty() || create.authrole != nullptr) {
      fail(ErrorCode::kUnsupported, 0, "CREATE SCHEMA takes a name and nothing else here");
    }
    if (name != "public" && model_.find_schema(name) == nullptr) {
      model_.schemas.push_back({name, {}, place()});
    }
  }

  void read_table() {
    const auto& create = *as<PgQuery__CreateStmt>(statement_->node());
    TableModel table;
    table.name = with_schema(sql::relation_name(*create.relation));
    refuse_second(table.name, create.relation->location);
    table.draft = read_create_table(create, statement_->source());
    table.place = place(create.relation->location);
    for (const sql::Option& option : sql::options_in(create.n_options, create.options)) {
      set_table_option(table, option);
    }
    model_.tables.push_back(std::move(table));
  }

  void read_view() {
    const auto& create = *as<PgQuery__ViewStmt>(statement_->node());
    ViewModel view;
    view.name = with_schema(sql::relation_name(*create.view));
    refuse_second(view.name, create.view->location);
    view.columns = sql::names_in(create.n_aliases, create.aliases);
    view.definition = sql::deparse(create.query);
    view.place = place(create.view->location);
    model_.views.push_back(std::move(view));
  }

  void read_function() {
    if (as<PgQuery__CreateFunctionStmt>(statement_->node()) == nullptr) {
      fail(ErrorCode::kUnsupported, 0, "aggregates are no part of a schema file",
           "make them with: coppice sql");
    }
    FunctionModel function = function_model(*statement_);
    if (model_.find_function(function.id) != nullptr) {
      fail(ErrorCode::kAlreadyExists, 0,
           fmt::format("function {} is described twice in this file", function.reference));
    }
    function.place = place();
    model_.functions.push_back(std::move(function));
  }

  void comment_on_function(const PgQuery__CommentStmt& comment) {
    const sql::QualifiedName name = with_schema(sql::object_name(comment.object));
    std::vector<FunctionModel*> named;
    for (FunctionModel& function : model_.functions) {
      if (function.name == name) named.push_back(&function);
    }
    if (named.empty()) {
      fail(ErrorCode::kNotFound, 0,
           fmt::format("function {} is not described in this file", name.text()));
    }
    if (named.size() > 1) {
      fail(ErrorCode::kUnsupported, 0,
           fmt::format("function name {} is not unique in this file", name.text()),
           "comment on it with: coppice sql");
    }
    named.front()->comment = comment_of(comment);
  }

  void read_materialized() {
    auto& create = *as<PgQuery__CreateTableAsStmt>(statement_->node());
    TableModel view;
    view.name = with_schema(sql::relation_name(*create.into->rel));
    refuse_second(view.name, create.into->rel->location);
    auto* select = as<PgQuery__SelectStmt>(create.query);
    const std::vector<std::string> names =
        sql::names_in(create.into->n_col_names, create.into->col_names);
    if (select == nullptr || names.size() > select->n_target_list) {
      fail(ErrorCode::kSyntax, create.into->rel->location, "too many column names were specified");
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      as<PgQuery__ResTarget>(select->target_list[i])->name = statement_->arena().copy(names[i]);
    }
    view.query = sql::deparse(create.query);
    view.place = place(create.into->rel->location);
    model_.tables.push_back(std::move(view));
  }

  void read_other(StatementKind kind) {
    switch (kind) {
      case StatementKind::kCreateTable:
      case StatementKind::kCreateView:
      case StatementKind::kCreateMaterializedView:
      case StatementKind::kCreateSchema:
      case StatementKind::kCreateFunction:
        return;
      case StatementKind::kCreateIndex:
        return read_index();
      case StatementKind::kAlterTable:
        return read_alter();
      case StatementKind::kComment:
        return read_comment();
      case StatementKind::kGrant:
        return read_grant();
      case StatementKind::kCreateTableAs:
        fail(ErrorCode::kUnsupported, 0, "CREATE TABLE AS makes rows, which apply does not",
             "name the columns: CREATE TABLE name (column type, …)");
      default:
        fail(ErrorCode::kUnsupported, 0,
             fmt::format("{} does not describe a schema", sql::kind_name(kind)),
             "a schema file says what shall be there: CREATE SCHEMA, FUNCTION, TABLE, VIEW and "
             "INDEX, "
             "ALTER TABLE … ADD or SET, COMMENT, GRANT; run others with: coppice sql -f FILE");
    }
  }

  TableModel& table_named(const sql::QualifiedName& given, std::ptrdiff_t location) {
    const sql::QualifiedName name = with_schema(given);
    std::vector<std::string> names;
    for (TableModel& table : model_.tables) {
      if (table.name == name) return table;
      names.push_back(table.name.schema == "public" ? table.name.name : table.name.text());
    }
    const std::string text = name.schema == "public" ? name.name : name.text();
    fail(ErrorCode::kNotFound, location,
         fmt::format("table \"{}\" is not described in this file", text),
         did_you_mean(text, names));
  }

  ColumnDraft& column_named(TableModel& table, const std::string& name, std::ptrdiff_t location) {
    std::vector<std::string> names;
    for (ColumnDraft& column : table.draft.columns) {
      if (column.info.name == name) return column;
      names.push_back(column.info.name);
    }
    fail(ErrorCode::kNotFound, location,
         fmt::format("column \"{}\" of relation \"{}\" does not exist", name, table.name.name),
         did_you_mean(name, names));
  }

  void set_table_option(TableModel& table, const sql::Option& option) {
    table.retention = checked_retention(option, statement_->source());
  }

  void read_index() {
    const auto& create = *as<PgQuery__IndexStmt>(statement_->node());
    TableModel& table =
        table_named(sql::relation_name(*create.relation), create.relation->location);
    IndexModel index;
    index.name = create.idxname == nullptr ? "" : create.idxname;
    index.place = place(create.relation->location);
    for (const IndexModel& other : table.indexes) {
      if (index.name.empty() || other.name != index.name) continue;
      fail(ErrorCode::kAlreadyExists, create.relation->location,
           fmt::format("index \"{}\" is described twice in this file", index.name));
    }
    index.definition = index_definition(*statement_, table.name, "");
    table.indexes.push_back(std::move(index));
  }

  void read_alter() {
    const auto& alter = *as<PgQuery__AlterTableStmt>(statement_->node());
    TableModel& table = table_named(sql::relation_name(*alter.relation), alter.relation->location);
    for (sql::Node* node : sql::nodes(alter.n_cmds, alter.cmds)) {
      read_alteration(table, *as<PgQuery__AlterTableCmd>(node), alter.relation->location);
    }
  }

  void read_alteration(TableModel& table, const PgQuery__AlterTableCmd& command,
                       std::ptrdiff_t location) {
    switch (command.subtype) {
      case PG_QUERY__ALTER_TABLE_TYPE__AT_AddColumn:
        return add_column(table, *as<PgQuery__ColumnDef>(command.def));
      case PG_QUERY__ALTER_TABLE_TYPE__AT_AddConstraint:
        return add_constraint(table, *as<PgQuery__Constraint>(command.def));
      case PG_QUERY__ALTER_TABLE_TYPE__AT_SetNotNull:
      case PG_QUERY__ALTER_TABLE_TYPE__AT_DropNotNull:
        column_named(table, command.name, location).info.not_null =
            command.subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_SetNotNull;
        return;
      case PG_QUERY__ALTER_TABLE_TYPE__AT_ColumnDefault: {
        auto& column = column_named(table, command.name, location).info;
        column.default_sql.reset();
        if (command.def == nullptr) return;
        column.default_sql = sql::deparse_expression(command.def);
        return catalog::check_expression_form(*column.default_sql, "default");
      }
      case PG_QUERY__ALTER_TABLE_TYPE__AT_SetOptions: {
        const auto* list = as<PgQuery__List>(command.def);
        auto& column = column_named(table, command.name, location).info;
        for (const sql::Option& option : sql::options_in(list->n_items, list->items)) {
          apply_column_option(column, option, statement_->source());
        }
        return;
      }
      case PG_QUERY__ALTER_TABLE_TYPE__AT_SetRelOptions: {
        const auto* list = as<PgQuery__List>(command.def);
        for (const sql::Option& option : sql::options_in(list->n_items, list->items)) {
          set_table_option(table, option);
        }
        return;
      }
      default:
        fail(ErrorCode::kUnsupported, location,
             "this form of ALTER TABLE does not describe a table",
             "write the column in CREATE TABLE as it shall be; apply finds what to change");
    }
  }

  void add_column(TableModel& table, const PgQuery__ColumnDef& definition) {
    if (table.find_column(definition.colname) != nullptr) {
      fail(ErrorCode::kAlreadyExists, definition.location,
           fmt::format("column \"{}\" of relation \"{}\" already exists", definition.colname,
                       table.name.name));
    }
    read_column(definition, statement_->source(), table.draft);
    // Locations of the draft are those of CREATE TABLE.
    table.draft.columns.back().location = -1;
  }

  void add_constraint(TableModel& table, const PgQuery__Constraint& constraint) {
    read_table_constraint(constraint, statement_->source(), table.draft);
    ConstraintDraft& added = table.draft.constraints.back();
    for (const std::string& name : added.columns) column_named(table, name, added.location);
    added.location = -1;
  }

  void read_comment() {
    const auto& comment = *as<PgQuery__CommentStmt>(statement_->node());
    switch (comment.objtype) {
      case PG_QUERY__OBJECT_TYPE__OBJECT_TABLE:
      case PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW:
        table_named(sql::object_name(comment.object), 0).comment = comment_of(comment);
        return;
      case PG_QUERY__OBJECT_TYPE__OBJECT_COLUMN: {
        const auto* list = as<PgQuery__List>(comment.object);
        std::vector<std::string> names = sql::names_in(list->n_items, list->items);
        const std::string column = names.back();
        names.pop_back();
        sql::QualifiedName table{names.size() > 1 ? names[names.size() - 2] : "",
                                 names.empty() ? "" : names.back()};
        column_named(table_named(table, 0), column, 0).info.comment = comment_of(comment);
        return;
      }
      case PG_QUERY__OBJECT_TYPE__OBJECT_VIEW:
        return comment_on_view(with_schema(sql::object_name(comment.object)), comment);
      case PG_QUERY__OBJECT_TYPE__OBJECT_FUNCTION:
        return comment_on_function(comment);
      case PG_QUERY__OBJECT_TYPE__OBJECT_SCHEMA:
        return comment_on_schema(sql::object_name(comment.object).name, comment);
      default:
        fail(ErrorCode::kUnsupported, 0,
             "comments can be made on tables, columns, views, schemas and functions");
    }
  }

  void comment_on_view(const sql::QualifiedName& name, const PgQuery__CommentStmt& comment) {
    for (ViewModel& view : model_.views) {
      if (view.name != name) continue;
      view.comment = comment_of(comment);
      return;
    }
    fail(ErrorCode::kNotFound, 0,
         fmt::format("view \"{}\" is not described in this file", name.name));
  }

  void comment_on_schema(const std::string& name, const PgQuery__CommentStmt& comment) {
    for (NamedSchema& schema : model_.schemas) {
      if (schema.name != name) continue;
      schema.comment = comment_of(comment);
      return;
    }
    fail(ErrorCode::kNotFound, 0, fmt::format("schema \"{}\" is not described in this file", name));
  }

  void read_grant() {
    const auto& grant = *as<PgQuery__GrantStmt>(statement_->node());
    if (!grant.is_grant) {
      fail(ErrorCode::kUnsupported, 0, "REVOKE does not describe a schema",
           "leave the GRANT out, and apply with --prune");
    }
    const bool on_schema = grant.objtype == PG_QUERY__OBJECT_TYPE__OBJECT_SCHEMA;
    const bool on_table = grant.objtype == PG_QUERY__OBJECT_TYPE__OBJECT_TABLE;
    if ((!on_schema && !on_table) ||
        grant.targtype != PG_QUERY__GRANT_TARGET_TYPE__ACL_TARGET_OBJECT) {
      fail(ErrorCode::kUnsupported, 0, "only rights on tables, views and schemas can be granted",
           "GRANT SELECT ON a table or view, or USAGE ON SCHEMA");
    }
    for (sql::Node* object : sql::nodes(grant.n_objects, grant.objects)) {
      GrantModel right;
      right.on_schema = on_schema;
      right.with_grant_option = grant.grant_option;
      right.place = place();
      right.object = on_schema ? sql::QualifiedName{"", sql::object_name(object).name}
                               : with_schema(sql::relation_name(*as<PgQuery__RangeVar>(object)));
      check_granted_object(right);
      add_grants(grant, right);
    }
  }

  void check_granted_object(const GrantModel& right) const {
    const bool described = right.on_schema ? right.object.name == "public" ||
                                                 model_.find_schema(right.object.name) != nullptr
                                           : model_.find_table(right.object) != nullptr ||
                                                 model_.find_view(right.object) != nullptr;
    if (described) return;
    fail(ErrorCode::kNotFound, 0,
         fmt::format("\"{}\" is not described in this file", right.object.name));
  }

  void add_grants(const PgQuery__GrantStmt& grant, GrantModel right) {
    const std::string_view allowed = right.on_schema ? "usage" : "select";
    if (grant.n_privileges == 0) refuse_privilege("ALL");
    for (sql::Node* node : sql::nodes(grant.n_privileges, grant.privileges)) {
      const auto& privilege = *as<PgQuery__AccessPriv>(node);
      const std::string name = privilege.priv_name == nullptr ? "ALL" : privilege.priv_name;
      if (name != allowed) refuse_privilege(name);
      std::vector<std::string> columns = sql::names_in(privilege.n_cols, privilege.cols);
      if (columns.empty()) columns.emplace_back();
      for (const std::string& column : columns) {
        right.column = column;
        for (sql::Node* role : sql::nodes(grant.n_grantees, grant.grantees)) add_grant(right, role);
      }
    }
  }

  [[noreturn]] void refuse_privilege(const std::string& name) const {
    fail(ErrorCode::kUnsupported, 0,
         fmt::format("{} cannot be granted: rows change through Coppice alone", name),
         "GRANT SELECT ON a table or view, or USAGE ON SCHEMA");
  }

  void add_grant(GrantModel right, const sql::Node* node) {
    const auto& role = *as<PgQuery__RoleSpec>(node);
    if (role.roletype == PG_QUERY__ROLE_SPEC_TYPE__ROLESPEC_CSTRING) {
      right.grantee = role.rolename;
    } else if (role.roletype != PG_QUERY__ROLE_SPEC_TYPE__ROLESPEC_PUBLIC) {
      fail(ErrorCode::kUnsupported, role.location,
           "name the role: a schema file is read by anybody");
    }
    // Coppice gives its own reader what it needs.
    if (right.grantee == kReaderRole) return;
    const auto same = [&](const GrantModel& other) { return other.same_right(right); };
    if (std::none_of(model_.grants.begin(), model_.grants.end(), same)) {
      model_.grants.push_back(std::move(right));
    }
  }

  // What PostgreSQL adds by itself.
  static void complete(TableModel& table) {
    for (ColumnDraft& column : table.draft.columns) {
      column.info.type = canonical_type(column.info.type);
    }
    for (const ConstraintDraft& constraint : table.draft.constraints) {
      if (constraint.kind != ConstraintKind::kPrimaryKey) continue;
      for (ColumnDraft& column : table.draft.columns) {
        const auto& names = constraint.columns;
        if (std::count(names.begin(), names.end(), column.info.name) > 0) {
          column.info.not_null = true;
        }
      }
    }
  }

  SchemaModel& model_;
  Statement* statement_ = nullptr;
};

}  // namespace

SchemaModel schema_in_file(std::string_view text) {
  SchemaModel model;
  model.statements = sql::parse(text);
  FileReader(model).read();
  return model;
}

}  // namespace coppice::engine
