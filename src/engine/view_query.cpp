#include "engine/view_query.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "engine/bound_expression.h"
#include "engine/query.h"
#include "engine/statement_tools.h"
#include "exec/binder.h"
#include "exec/column_names.h"
#include "exec/select.h"
#include "exec/server_functions.h"
#include "exec/syntax.h"
#include "sql/deparse.h"
#include "sql/make.h"
#include "sql/read.h"
#include "sql/references.h"

namespace coppice::engine {
namespace {

using catalog::TableInfo;
using sql::as;
using sql::Node;

constexpr std::string_view kStaysPlain =
    "such a query stays a plain view, evaluated when it is read: CREATE VIEW name AS SELECT …";
constexpr std::string_view kReserved = "_coppice";

// What the iterator's rows have: pos, and what its signature says.
exec::ColumnKinds iterator_kinds(const Signature& signature) {
  exec::ColumnKinds kinds = {{"pos", std::nullopt}};
  for (const IteratorColumn& column : signature.columns) {
    kinds.push_back({column.name, exec::media_kind_of(column.type)});
  }
  return kinds;
}

exec::Scope parent_scope(const TableInfo& parent, const std::string& alias) {
  exec::Scope scope;
  scope.add(exec::item_of_relation({"", alias, true, column_kinds(parent)}));
  return scope;
}

// Reads one query; each step refuses what may not be there.
class Reader {
 public:
  Reader(EngineContext& context, sql::Statement& statement)
      : context_(context),
        statement_(statement),
        create_(*as<PgQuery__CreateTableAsStmt>(statement.node())),
        relations_(context) {}

  ViewQuery read() {
    read_head();
    auto* select = as<PgQuery__SelectStmt>(create_.query);
    if (select == nullptr) fail(-1, "a materialized view is made from a SELECT");
    select_ = select;
    refuse_clauses();
    read_from();
    make_scope();
    expand_targets();
    name_targets();
    take_texts();
    check_types();
    return std::move(query_);
  }

 private:
  [[noreturn]] void fail(std::ptrdiff_t location, const std::string& what,
                         std::string_view hint = kStaysPlain,
                         ErrorCode code = ErrorCode::kUnsupported) const {
    throw statement_.error(code, std::max<std::ptrdiff_t>(location, 0), what, std::string(hint));
  }

  void refuse(bool found, const Node* first, const std::string& what) const {
    if (!found) return;
    fail(first == nullptr ? -1 : exec::location_of(first),
         fmt::format("a materialized view cannot hold {}", what));
  }

  void read_head() {
    const PgQuery__IntoClause& into = *create_.into;
    query_.name = sql::relation_name(*into.rel);
    if (query_.name.schema.empty()) query_.name.schema = "public";
    if (into.n_options > 0) {
      fail(into.rel->location, "a materialized view takes no options",
           "retention belongs to the table it is made from");
    }
  }

  void refuse_clauses() const {
    const PgQuery__SelectStmt& s = *select_;
    refuse(s.op != PG_QUERY__SET_OPERATION__SETOP_NONE, nullptr, "UNION, INTERSECT or EXCEPT");
    refuse(s.n_values_lists > 0, nullptr, "VALUES");
    if (s.with_clause != nullptr)
      fail(s.with_clause->location, "a materialized view cannot hold WITH");
    refuse(s.n_distinct_clause > 0, s.n_target_list > 0 ? s.target_list[0] : nullptr, "DISTINCT");
    refuse(s.n_group_clause > 0, s.n_group_clause > 0 ? s.group_clause[0] : nullptr, "GROUP BY");
    refuse(s.having_clause != nullptr, s.having_clause, "HAVING");
    refuse(s.n_window_clause > 0, nullptr, "WINDOW");
    refuse(s.n_sort_clause > 0, s.n_sort_clause > 0 ? s.sort_clause[0] : nullptr, "ORDER BY");
    refuse(s.limit_count != nullptr, s.limit_count, "LIMIT");
    refuse(s.limit_offset != nullptr, s.limit_offset, "OFFSET");
  }

  // a, b CROSS JOIN c: the same as a, b, c.
  void flatten(Node* item, std::vector<Node*>& items) const {
    const auto* join = as<PgQuery__JoinExpr>(item);
    if (join == nullptr) return items.push_back(item);
    const bool cross = join->jointype == PG_QUERY__JOIN_TYPE__JOIN_INNER && !join->is_natural &&
                       join->quals == nullptr && join->n_using_clause == 0 &&
                       join->alias == nullptr;
    if (!cross) fail(exec::location_of(item), "a materialized view cannot hold a join");
    flatten(join->larg, items);
    flatten(join->rarg, items);
  }

  void read_from() {
    std::vector<Node*> items;
    for (Node* item : sql::nodes(select_->n_from_clause, select_->from_clause)) {
      flatten(item, items);
    }
    if (items.empty()) fail(-1, "a materialized view reads a table: there is no FROM");
    const auto* table = as<PgQuery__RangeVar>(items[0]);
    if (table == nullptr) {
      fail(exec::location_of(items[0]),
           "the FROM of a materialized view begins with a table or another materialized view");
    }
    read_parent(*table);
    if (items.size() == 1) return;
    const auto* function = as<PgQuery__RangeFunction>(items[1]);
    if (function == nullptr) {
      fail(exec::location_of(items[1]), as<PgQuery__RangeSubselect>(items[1]) != nullptr
                                            ? "a materialized view cannot hold a subquery"
                                            : "a materialized view cannot hold a join");
    }
    read_iterator(*function);
    if (items.size() > 2) {
      fail(exec::location_of(items[2]), "a materialized view has one iterator at most",
           "make a second materialized view over this one");
    }
  }

  void read_parent(const PgQuery__RangeVar& table) {
    const sql::QualifiedName name = sql::relation_name(table);
    query_.parent = context_.catalog.find_table(name);
    if (query_.parent == nullptr) {
      if (context_.catalog.split_version(name).version) {
        fail(table.location,
             fmt::format("\"{}\" is an older version, which never changes", name.name),
             "read it with a plain view: CREATE VIEW", ErrorCode::kRefused);
      }
      if (context_.catalog.find_view(name) != nullptr) {
        fail(table.location,
             fmt::format("\"{}\" is a plain view: a materialized view is made from a table or from "
                         "another materialized view",
                         name.name),
             kStaysPlain, ErrorCode::kRefused);
      }
      target_table(context_, statement_, table);  // throws: what else it is, or the nearest name
    }
    query_.view.parent_id = query_.parent->table_id;
    query_.view.parent_alias = checked_alias(sql::relation_alias(table), table.location);
    if (table.alias != nullptr && table.alias->n_colnames > 0) {
      fail(table.location, "the alias of the table cannot rename its columns here",
           "name the results: SELECT f.id AS number");
    }
  }

  std::string checked_alias(std::string_view alias, std::ptrdiff_t location) const {
    if (alias.starts_with(kReserved)) {
      fail(location, fmt::format("aliases that begin with {} are reserved", kReserved),
           "choose another alias", ErrorCode::kRefused);
    }
    return std::string(alias);
  }

  void read_iterator(PgQuery__RangeFunction const& function) {
    const auto* list =
        function.n_functions == 1 ? as<PgQuery__List>(function.functions[0]) : nullptr;
    auto* call = list == nullptr ? nullptr : as<PgQuery__FuncCall>(list->items[0]);
    if (call == nullptr || !exec::is_iterator_call(*call, context_.functions)) {
      fail(list == nullptr ? -1 : exec::location_of(list->items[0]),
           "beside its table a materialized view may call an iterator only",
           "the iterators are among: coppice functions; for other functions in FROM make a plain "
           "view");
    }
    if (function.ordinality || function.n_coldeflist > 0) {
      fail(call->location, "an iterator takes no WITH ORDINALITY and no column definitions",
           "its column pos counts the rows, from 0");
    }
    iterator_ = &list->items[0];
    catalog::IteratorCall& info = query_.view.iterator.emplace();
    info.alias = function.alias != nullptr ? function.alias->aliasname : exec::called_name(*call);
    checked_alias(info.alias, call->location);
    if (info.alias == query_.view.parent_alias) {
      fail(call->location, fmt::format("table name \"{}\" specified more than once", info.alias),
           "give the iterator another alias", ErrorCode::kUsage);
    }
    if (function.alias != nullptr) {
      info.columns = sql::names_in(function.alias->n_colnames, function.alias->colnames);
    }
  }

  // The iterator's arguments read the parent alone; all else reads both.
  void make_scope() {
    scope_ = parent_scope(*query_.parent, query_.view.parent_alias);
    if (iterator_ == nullptr) return;
    catalog::IteratorCall& info = *query_.view.iterator;
    qualify(*iterator_);
    refuse_forms(*iterator_);
    info.call = sql::deparse_expression(*iterator_);
    exec::BindContext binding = new_binding();
    binding.iterator = as<PgQuery__FuncCall>(*iterator_);
    bound_iterator_ = sql::clone(statement_.arena(), *iterator_);
    binding.iterator = as<PgQuery__FuncCall>(bound_iterator_);
    exec::bind_expression(bound_iterator_, scope_, binding);
    refuse_files(binding, exec::location_of(*iterator_));
    const auto* signature =
        exec::bound_signature(*as<PgQuery__FuncCall>(bound_iterator_), context_.functions);
    exec::ColumnKinds kinds = iterator_kinds(*signature);
    if (info.columns.size() > kinds.size()) {
      fail(exec::location_of(*iterator_),
           fmt::format("{} gives {} columns, and its alias names {}", signature->name, kinds.size(),
                       info.columns.size()),
           "name as many, or fewer", ErrorCode::kUsage);
    }
    exec::rename_columns(kinds, info.columns);
    info.columns.clear();
    for (const exec::ColumnKind& kind : kinds) info.columns.push_back(kind.name);
    scope_.add(exec::item_of_relation({"", info.alias, true, std::move(kinds)}));
  }

  exec::BindContext new_binding() {
    return {statement_.arena(), context_.functions, relations_, statement_.source(), 0, {}};
  }

  void refuse_files(const exec::BindContext& binding, std::ptrdiff_t location) const {
    if (binding.literals.empty()) return;
    fail(location, "a materialized view cannot name a file",
         "it reads media from columns; put the file into one");
  }

  // Every name gets the alias that it belongs to.
  void qualify(Node*& root) {
    sql::walk(root, [&](sql::Message& message) {
      auto* reference = as<PgQuery__ColumnRef>(message);
      if (reference == nullptr) return sql::Visit::kInto;
      const auto resolved = scope_.resolve(*reference);
      if (!resolved) {
        unresolved_ = unresolved_ == nullptr ? reference : unresolved_;
        return sql::Visit::kSkip;
      }
      Node* const names[] = {sql::make::name(statement_.arena(), resolved->qualifier),
                             sql::make::name(statement_.arena(), resolved->column->name)};
      sql::make::set_list(statement_.arena(), names, reference->n_fields, reference->fields);
      return sql::Visit::kSkip;
    });
  }

  void refuse_forms(const Node* expression) const {
    const auto refuse_form = [&](const sql::Message& message, std::string_view what) {
      fail(exec::location_of(message), fmt::format("a materialized view cannot hold {}", what));
    };
    sql::walk(const_cast<Node*>(expression), [&](sql::Message& message) {
      if (as<PgQuery__SubLink>(message) != nullptr) refuse_form(message, "a subquery");
      const auto* call = as<PgQuery__FuncCall>(message);
      if (call == nullptr) return sql::Visit::kInto;
      if (exec::is_window_call(*call)) refuse_form(message, "a window function");
      if (exec::is_aggregate_call(*call)) refuse_form(message, "an aggregate");
      return sql::Visit::kInto;
    });
    refuse_server_functions(expression);
  }

  // Aggregates of the user's own, and functions that give several rows.
  void refuse_server_functions(const Node* expression) const {
    for (const auto* call : sql::collect_function_calls(const_cast<Node*>(expression))) {
      if (exec::has_engine_name(*call, context_.functions)) continue;
      const pg::Result kinds = context_.main.exec_cached(
          "SELECT bool_and(prokind <> 'f'), bool_and(proretset) FROM pg_proc WHERE proname = $1",
          {exec::called_name(*call)});
      if (kinds.is_null(0, 0)) continue;  // there is none: PostgreSQL says so below
      if (kinds.boolean(0, 0)) fail(call->location, "a materialized view cannot hold an aggregate");
      if (kinds.boolean(0, 1)) {
        fail(call->location,
             fmt::format("{}() gives several rows for one, which only an iterator may do",
                         exec::called_name(*call)),
             "use an iterator in FROM: LATERAL elements(to_jsonb(…)) AS i");
      }
    }
  }

  void expand_targets() {
    std::vector<Node*> targets;
    for (Node* item : sql::nodes(select_->n_target_list, select_->target_list)) {
      const auto* reference = as<PgQuery__ColumnRef>(as<PgQuery__ResTarget>(item)->val);
      if (reference == nullptr || !exec::is_star(*reference)) {
        targets.push_back(item);
        continue;
      }
      const std::vector<std::string> names = sql::column_ref_names(*reference);
      const std::string wanted = names.size() > 1 ? names[names.size() - 2] : "";
      const std::size_t before = targets.size();
      for (const exec::VisibleColumn& visible : scope_.visible()) {
        if (!wanted.empty() && visible.qualifier != wanted) continue;
        Node* const column = exec::make_column(statement_.arena(), visible.qualifier,
                                               visible.column.name, reference->location);
        targets.push_back(sql::make::target(statement_.arena(), column, visible.column.name));
      }
      if (targets.size() == before) {
        fail(reference->location, fmt::format("missing FROM-clause entry for table \"{}\"", wanted),
             "", ErrorCode::kNotFound);
      }
    }
    sql::make::set_list(statement_.arena(), targets, select_->n_target_list, select_->target_list);
  }

  void name_targets() {
    const std::vector<std::string> given =
        sql::names_in(create_.into->n_col_names, create_.into->col_names);
    if (given.size() > select_->n_target_list) {
      fail(create_.into->rel->location, "too many column names were specified", "",
           ErrorCode::kSyntax);
    }
    std::vector<std::string> names;
    for (std::size_t i = 0; i < select_->n_target_list; ++i) {
      auto& target = *as<PgQuery__ResTarget>(select_->target_list[i]);
      std::string name = target.name == nullptr ? "" : target.name;
      if (name.empty()) name = exec::default_column_name(target.val);
      if (i < given.size()) name = given[i];
      const std::ptrdiff_t place = exec::location_of(target.val);
      if (std::count(names.begin(), names.end(), name) > 0) {
        fail(place, fmt::format("column \"{}\" specified more than once", name),
             "give each column a name of its own: AS name", ErrorCode::kAlreadyExists);
      }
      refuse_reserved_name(name, statement_.source(), place);
      target.name = statement_.arena().copy(name);
      names.push_back(std::move(name));
    }
    if (names.empty()) fail(-1, "a materialized view needs at least one column");
    if (!given.empty()) query_.view.definition = sql::deparse(create_.query);
  }

  void take_texts() {
    for (Node* item : sql::nodes(select_->n_target_list, select_->target_list)) {
      auto& target = *as<PgQuery__ResTarget>(item);
      qualify(target.val);
      refuse_forms(target.val);
      ColumnDraft column;
      column.info.name = target.name;
      column.info.derived = sql::deparse_expression(target.val);
      column.location = exec::location_of(target.val);
      query_.columns.push_back(std::move(column));
    }
    if (select_->where_clause == nullptr) return;
    qualify(select_->where_clause);
    refuse_forms(select_->where_clause);
    query_.view.condition = sql::deparse_expression(select_->where_clause);
  }

  // PostgreSQL checks names and types over the stubs of engine functions.
  void check_types() {
    for (std::size_t i = 0; i < query_.columns.size(); ++i) {
      auto& target = *as<PgQuery__ResTarget>(select_->target_list[i]);
      catalog::ColumnInfo& column = query_.columns[i].info;
      column.uses_engine = bind(target.val);
      const auto kind = exec::infer_kind(target.val, scope_, new_binding().kinds());
      if (kind) column.type = catalog::media_kind_name(*kind);
    }
    if (select_->where_clause != nullptr) bind(select_->where_clause);
    if (iterator_ != nullptr) *iterator_ = bound_iterator_;
    qualify_media_types(sql::message_of(create_.query), statement_.arena());
    const std::string sent = sql::deparse(create_.query);
    try {
      const std::vector<pg::Column> columns = context_.main.describe(sent).columns;
      for (std::size_t i = 0; i < query_.columns.size(); ++i) {
        std::string& type = query_.columns[i].info.type;
        if (type.empty()) type = columns[i].type_name;
      }
    } catch (const pg::ServerError& error) {
      throw query_error(context_, error, sent, statement_);
    }
    if (unresolved_ != nullptr) {
      fail(unresolved_->location, "a materialized view cannot read a row as a whole",
           "name its columns, or use *");
    }
  }

  bool bind(Node*& expression) {
    exec::BindContext binding = new_binding();
    exec::bind_expression(expression, scope_, binding);
    refuse_files(binding, exec::location_of(expression));
    return binding.engine_calls > 0;
  }

  EngineContext& context_;
  sql::Statement& statement_;
  PgQuery__CreateTableAsStmt& create_;
  CatalogKinds relations_;
  PgQuery__SelectStmt* select_ = nullptr;
  Node** iterator_ = nullptr;
  Node* bound_iterator_ = nullptr;
  const PgQuery__ColumnRef* unresolved_ = nullptr;
  exec::Scope scope_;
  ViewQuery query_;

  friend ViewQuery engine::read_view_query(EngineContext&, sql::Statement&, const SqlParameters&);
};

}  // namespace

ViewQuery read_view_query(EngineContext& context, sql::Statement& statement,
                          const SqlParameters& parameters) {
  exec::substitute_parameters(statement.root(), bind_parameters(statement, parameters),
                              statement.arena());
  Reader reader(context, statement);
  const auto& create = *as<PgQuery__CreateTableAsStmt>(statement.node());
  reader.query_.view.definition = sql::deparse(create.query);
  reader.query_.statement = sql::deparse(statement.node());
  return reader.read();
}

exec::Scope view_scope(EngineContext& context, const TableInfo& parent,
                       const catalog::MaterializedInfo& view) {
  exec::Scope scope = parent_scope(parent, view.parent_alias);
  if (!view.iterator) return scope;
  exec::ColumnKinds kinds = iterator_kinds(iterator_of(context, parent, view));
  exec::rename_columns(kinds, view.iterator->columns);
  scope.add(exec::item_of_relation({"", view.iterator->alias, true, std::move(kinds)}));
  return scope;
}

const Signature& iterator_of(EngineContext& context, const TableInfo& parent,
                             const catalog::MaterializedInfo& view) {
  sql::Statement call = sql::parse_expression(view.iterator->call);
  CatalogKinds relations(context);
  exec::BindContext binding{call.arena(), context.functions, relations, call.source(), 0, {}};
  binding.iterator = as<PgQuery__FuncCall>(call.node());
  exec::bind_expression(call.root(), parent_scope(parent, view.parent_alias), binding);
  return *exec::bound_signature(*as<PgQuery__FuncCall>(call.node()), context.functions);
}

std::string view_query_text(const TableInfo& view, const TableInfo& parent) {
  std::vector<std::string> targets;
  for (const catalog::ColumnInfo* column : view.visible_columns()) {
    if (!column->derived) continue;
    targets.push_back(*column->derived + " AS " + sql::quote_identifier(column->name));
  }
  const catalog::MaterializedInfo& info = *view.view;
  std::string text = fmt::format("SELECT {} FROM {} AS {}", join(targets, ", "), parent.user_name(),
                                 sql::quote_identifier(info.parent_alias));
  if (info.iterator) {
    text += fmt::format(", LATERAL {} AS {}({})", info.iterator->call,
                        sql::quote_identifier(info.iterator->alias),
                        identifier_list(info.iterator->columns));
  }
  if (info.condition) text += " WHERE " + *info.condition;
  sql::Statement statement = sql::parse_statement(text);
  return sql::deparse(statement.node());
}

}  // namespace coppice::engine
