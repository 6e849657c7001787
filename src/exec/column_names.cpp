#include "exec/column_names.h"

#include <string_view>

#include "exec/syntax.h"

namespace coppice::exec {
namespace {

using sql::as;
using sql::Node;

constexpr std::string_view kUnnamed = "?column?";

// A strong name ends the search; a weak one gives way to a strong one further out.
enum class Strength { kNone, kWeak, kStrong };
struct Found {
  Strength strength = Strength::kNone;
  std::string name;
};

Found strong(std::string name) { return {Strength::kStrong, std::move(name)}; }

Found figure(const Node* node);

// The last name of a list that may end in subscripts or `*`.
Found last_name(std::size_t count, Node* const* items) {
  Found found;
  for (std::size_t i = 0; i < count; ++i) {
    if (const auto* name = as<PgQuery__String>(items[i])) found = strong(name->sval);
  }
  return found;
}

// What `inner` says, unless it is weak: then `name`, weakly.
Found weak_unless(Found inner, std::string name) {
  if (inner.strength == Strength::kStrong) return inner;
  return {Strength::kWeak, std::move(name)};
}

Found figure_sub_link(const PgQuery__SubLink& link) {
  switch (link.sub_link_type) {
    case PG_QUERY__SUB_LINK_TYPE__EXISTS_SUBLINK:
      return strong("exists");
    case PG_QUERY__SUB_LINK_TYPE__ARRAY_SUBLINK:
      return strong("array");
    case PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK: {
      const auto* select = as<PgQuery__SelectStmt>(link.subselect);
      while (select && select->larg) select = select->larg;
      if (!select || select->n_target_list == 0) return {};
      const auto* const target = as<PgQuery__ResTarget>(select->target_list[0]);
      if (*target->name != '\0') return strong(target->name);
      return strong(default_column_name(target->val));
    }
    default:
      return {};
  }
}

std::string sql_value_function_name(const PgQuery__SQLValueFunction& function) {
  switch (function.op) {
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_DATE:
      return "current_date";
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIME:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIME_N:
      return "current_time";
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIMESTAMP:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIMESTAMP_N:
      return "current_timestamp";
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIME:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIME_N:
      return "localtime";
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP_N:
      return "localtimestamp";
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_ROLE:
      return "current_role";
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_USER:
      return "current_user";
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_USER:
      return "user";
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_SESSION_USER:
      return "session_user";
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_CATALOG:
      return "current_catalog";
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_SCHEMA:
      return "current_schema";
    default:
      return std::string(kUnnamed);
  }
}

Found figure_indirection(const PgQuery__AIndirection& indirection) {
  Found field = last_name(indirection.n_indirection, indirection.indirection);
  return field.strength == Strength::kStrong ? field : figure(indirection.arg);
}

Found figure_cast(const PgQuery__TypeCast& cast) {
  const PgQuery__TypeName& type = *cast.type_name;
  return weak_unless(figure(cast.arg), last_name(type.n_names, type.names).name);
}

Found figure(const Node* node) {
  if (const auto* reference = as<PgQuery__ColumnRef>(node)) {
    return last_name(reference->n_fields, reference->fields);
  }
  if (const auto* indirection = as<PgQuery__AIndirection>(node)) {
    return figure_indirection(*indirection);
  }
  if (const auto* call = as<PgQuery__FuncCall>(node)) return strong(called_name(*call));
  if (const auto* expression = as<PgQuery__AExpr>(node)) {
    if (expression->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF) return strong("nullif");
    return {};
  }
  if (const auto* cast = as<PgQuery__TypeCast>(node)) return figure_cast(*cast);
  if (const auto* collate = as<PgQuery__CollateClause>(node)) return figure(collate->arg);
  if (const auto* link = as<PgQuery__SubLink>(node)) return figure_sub_link(*link);
  if (const auto* choice = as<PgQuery__CaseExpr>(node)) {
    return weak_unless(figure(choice->defresult), "case");
  }
  if (as<PgQuery__AArrayExpr>(node)) return strong("array");
  if (as<PgQuery__RowExpr>(node)) return strong("row");
  if (as<PgQuery__CoalesceExpr>(node)) return strong("coalesce");
  if (const auto* extreme = as<PgQuery__MinMaxExpr>(node)) {
    return strong(extreme->op == PG_QUERY__MIN_MAX_OP__IS_GREATEST ? "greatest" : "least");
  }
  if (const auto* function = as<PgQuery__SQLValueFunction>(node)) {
    return strong(sql_value_function_name(*function));
  }
  if (node && node->node_case == PG_QUERY__NODE__NODE_GROUPING_FUNC) return strong("grouping");
  return {};
}

}  // namespace

std::string default_column_name(const Node* expression) {
  Found found = figure(expression);
  return found.strength == Strength::kNone ? std::string(kUnnamed) : std::move(found.name);
}

}  // namespace coppice::exec
