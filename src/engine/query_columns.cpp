#include "engine/query_columns.h"

#include <map>
#include <optional>

#include "exec/column_names.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using sql::as;
using Columns = std::vector<QueryColumn>;
using Sources = std::set<std::string>;

// One entry of FROM, under the name that its columns are called by.
struct Item {
  std::string alias;
  Columns columns;
  Sources others;  // of columns that are not listed: what a function gives is not known here
};

struct Scope {
  const Scope* outer = nullptr;
  std::vector<Item> items;
  std::map<std::string, Columns> with_queries;
};

void unite(Sources& into, const Sources& from) { into.insert(from.begin(), from.end()); }

Sources sources_of_all(const Item& item) {
  Sources all = item.others;
  for (const QueryColumn& column : item.columns) unite(all, column.sources);
  return all;
}

void rename_columns(Columns& columns, std::size_t count, sql::Node* const* names) {
  const std::vector<std::string> given = sql::names_in(count, names);
  for (std::size_t i = 0; i < given.size() && i < columns.size(); ++i) columns[i].name = given[i];
}

// Column by column, as UNION puts them together.
Columns unite_columns(Columns left, const Columns& right) {
  for (std::size_t i = 0; i < left.size() && i < right.size(); ++i) {
    unite(left[i].sources, right[i].sources);
  }
  return left.empty() ? right : left;
}

class Tracer {
 public:
  explicit Tracer(const RelationColumns& relations) : relations_(relations) {}

  Columns select(const PgQuery__SelectStmt& query, const Scope* outer) {
    Scope scope{outer, {}, {}};
    if (query.with_clause != nullptr) add_with_queries(*query.with_clause, scope);
    if (query.op != PG_QUERY__SET_OPERATION__SETOP_NONE && query.larg != nullptr) {
      return unite_columns(select(*query.larg, &scope), select(*query.rarg, &scope));
    }
    for (sql::Node* item : sql::nodes(query.n_from_clause, query.from_clause)) {
      add_item(item, scope);
    }
    if (query.n_values_lists > 0) return values(query, scope);
    Columns columns;
    for (sql::Node* node : sql::nodes(query.n_target_list, query.target_list)) {
      add_target(*as<PgQuery__ResTarget>(node), scope, columns);
    }
    return columns;
  }

 private:
  void add_with_queries(const PgQuery__WithClause& with, Scope& scope) {
    for (sql::Node* node : sql::nodes(with.n_ctes, with.ctes)) {
      const auto& query = *as<PgQuery__CommonTableExpr>(node);
      const auto* body = as<PgQuery__SelectStmt>(query.ctequery);
      if (body == nullptr) continue;
      // A recursive query reads itself: the second look knows what the first one found.
      for (int look = 0; look < (with.recursive ? 2 : 1); ++look) {
        Columns columns = select(*body, &scope);
        rename_columns(columns, query.n_aliascolnames, query.aliascolnames);
        scope.with_queries[query.ctename] = std::move(columns);
      }
    }
  }

  static const Columns* find_with_query(const std::string& name, const Scope* scope) {
    for (; scope != nullptr; scope = scope->outer) {
      const auto found = scope->with_queries.find(name);
      if (found != scope->with_queries.end()) return &found->second;
    }
    return nullptr;
  }

  static void keep_item(Item item, const PgQuery__Alias* alias, Scope& scope) {
    if (alias != nullptr) {
      item.alias = alias->aliasname;
      rename_columns(item.columns, alias->n_colnames, alias->colnames);
    }
    scope.items.push_back(std::move(item));
  }

  void add_item(sql::Node* node, Scope& scope) {
    if (const auto* relation = as<PgQuery__RangeVar>(node)) {
      const sql::QualifiedName name = sql::relation_name(*relation);
      const Columns* with = name.schema.empty() ? find_with_query(name.name, &scope) : nullptr;
      keep_item({name.name, with != nullptr ? *with : relations_(name), {}}, relation->alias,
                scope);
    } else if (const auto* query = as<PgQuery__RangeSubselect>(node)) {
      const auto* body = as<PgQuery__SelectStmt>(query->subquery);
      if (body != nullptr) keep_item({"", select(*body, &scope), {}}, query->alias, scope);
    } else if (const auto* join = as<PgQuery__JoinExpr>(node)) {
      add_join(*join, scope);
    } else if (const auto* function = as<PgQuery__RangeFunction>(node)) {
      add_function(*function, scope);
    } else if (const auto* sample = as<PgQuery__RangeTableSample>(node)) {
      add_item(sample->relation, scope);
    }
  }

  void add_join(const PgQuery__JoinExpr& join, Scope& scope) {
    const std::size_t first = scope.items.size();
    add_item(join.larg, scope);
    add_item(join.rarg, scope);
    if (join.alias == nullptr) return;
    Item whole;
    for (std::size_t i = first; i < scope.items.size(); ++i) {
      const Columns& columns = scope.items[i].columns;
      whole.columns.insert(whole.columns.end(), columns.begin(), columns.end());
    }
    scope.items.resize(first);
    keep_item(std::move(whole), join.alias, scope);
  }

  void add_function(const PgQuery__RangeFunction& function, Scope& scope) {
    Item item;
    for (sql::Node* node : sql::nodes(function.n_functions, function.functions)) {
      unite(item.others, expression(node, scope));
      const auto* list = as<PgQuery__List>(node);
      const auto* call =
          list != nullptr && list->n_items > 0 ? as<PgQuery__FuncCall>(list->items[0]) : nullptr;
      if (call != nullptr && item.alias.empty()) item.alias = sql::function_name(*call).name;
    }
    if (function.alias != nullptr) {
      const auto names = sql::names_in(function.alias->n_colnames, function.alias->colnames);
      for (const std::string& name : names) item.columns.push_back({name, item.others});
    }
    // A function that gives one column gives it the name of the entry.
    if (item.columns.empty()) {
      const std::string name = function.alias != nullptr ? function.alias->aliasname : item.alias;
      item.columns.push_back({name, item.others});
    }
    keep_item(std::move(item), function.alias, scope);
  }

  Columns values(const PgQuery__SelectStmt& query, const Scope& scope) {
    Columns columns;
    for (sql::Node* node : sql::nodes(query.n_values_lists, query.values_lists)) {
      const auto& row = *as<PgQuery__List>(node);
      for (std::size_t i = 0; i < row.n_items; ++i) {
        if (i == columns.size()) columns.push_back({"column" + std::to_string(i + 1), {}});
        unite(columns[i].sources, expression(row.items[i], scope));
      }
    }
    return columns;
  }

  void add_target(const PgQuery__ResTarget& target, const Scope& scope, Columns& columns) {
    const auto* reference = as<PgQuery__ColumnRef>(target.val);
    std::vector<std::string> names;
    if (reference != nullptr) names = sql::column_ref_names(*reference);
    if (!names.empty() && names.back() == "*") {
      const std::string wanted = names.size() > 1 ? names[names.size() - 2] : "";
      for (const Item& item : scope.items) {
        if (!wanted.empty() && item.alias != wanted) continue;
        columns.insert(columns.end(), item.columns.begin(), item.columns.end());
      }
      return;
    }
    const bool named = target.name != nullptr && *target.name != '\0';
    columns.push_back({named ? std::string(target.name) : exec::default_column_name(target.val),
                       expression(target.val, scope)});
  }

  Sources expression(sql::Node* node, const Scope& scope) {
    Sources sources;
    sql::walk(node, [&](sql::Message& message) {
      if (const auto* reference = as<PgQuery__ColumnRef>(message)) {
        unite(sources, reference_sources(sql::column_ref_names(*reference), scope));
        return sql::Visit::kSkip;
      }
      if (const auto* query = as<PgQuery__SelectStmt>(message)) {
        for (const QueryColumn& column : select(*query, &scope)) unite(sources, column.sources);
        return sql::Visit::kSkip;
      }
      return sql::Visit::kInto;
    });
    return sources;
  }

  static Sources reference_sources(const std::vector<std::string>& names, const Scope& scope) {
    const std::string& column = names.back();
    const std::string alias = names.size() > 1 ? names[names.size() - 2] : "";
    for (const Scope* at = &scope; at != nullptr; at = at->outer) {
      if (auto found = find_in(*at, alias, column)) return *found;
    }
    return {};
  }

  // USING makes one column of two: both are its sources.
  static std::optional<Sources> find_in(const Scope& scope, const std::string& alias,
                                        const std::string& column) {
    std::optional<Sources> found;
    for (const Item& item : scope.items) {
      if (!alias.empty() && item.alias != alias) continue;
      if (column == "*") {
        if (!found) found.emplace();
        unite(*found, sources_of_all(item));
      }
      for (const QueryColumn& known : item.columns) {
        if (known.name != column) continue;
        if (!found) found.emplace();
        unite(*found, known.sources);
      }
    }
    if (found) return found;
    for (const Item& item : scope.items) {
      const bool whole_row = alias.empty() && item.alias == column;
      const bool of_function = !item.others.empty() && (alias.empty() || item.alias == alias);
      if (whole_row || of_function) return sources_of_all(item);
    }
    return std::nullopt;
  }

  const RelationColumns& relations_;
};

}  // namespace

std::vector<QueryColumn> trace_query(const PgQuery__SelectStmt& query,
                                     const RelationColumns& relations) {
  return Tracer(relations).select(query, nullptr);
}

}  // namespace coppice::engine
