#include "exec/kinds.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string_view>

#include "exec/column_names.h"
#include "exec/overload.h"
#include "exec/syntax.h"

namespace coppice::exec {
namespace {

using sql::as;
using sql::Node;

// PostgreSQL's functions whose result is one of the values of their first argument.
constexpr std::array<std::string_view, 8> kPassingFirstArgument = {
    "max", "min", "first_value", "last_value", "nth_value", "lag", "lead", "any_value"};

PossibleKinds of_all(std::span<Node* const> nodes, const Scope& scope, const KindContext& context) {
  PossibleKinds all;
  for (const Node* const node : nodes) all.merge(possible_kinds(node, scope, context));
  return all;
}

PossibleKinds of_constant(const PgQuery__AConst& constant) {
  const bool fits = constant.isnull || constant.val_case == PG_QUERY__A__CONST__VAL_SVAL;
  return fits ? PossibleKinds::of_literal() : PossibleKinds::of(std::nullopt);
}

PossibleKinds of_case(const PgQuery__CaseExpr& choice, const Scope& scope,
                      const KindContext& context) {
  PossibleKinds all = choice.defresult ? possible_kinds(choice.defresult, scope, context)
                                       : PossibleKinds::of_literal();
  for (const Node* const item : sql::nodes(choice.n_args, choice.args)) {
    all.merge(possible_kinds(as<PgQuery__CaseWhen>(item)->result, scope, context));
  }
  return all;
}

PossibleKinds of_call(const PgQuery__FuncCall& call, const Scope& scope,
                      const KindContext& context) {
  if (const Signature* const bound = bound_signature(call, context.functions)) {
    return PossibleKinds::of(media_kind_of(bound->result));
  }
  if (is_engine_call(call, scope, context)) return possible_results(call, scope, context);
  const std::string name = called_name(call);
  const bool passes = std::find(kPassingFirstArgument.begin(), kPassingFirstArgument.end(), name) !=
                      kPassingFirstArgument.end();
  if (!passes || call.n_args == 0) return PossibleKinds::of(std::nullopt);
  PossibleKinds kinds = possible_kinds(call.args[0], scope, context);
  // lag(img, 1, other): the third argument stands in where there is no row.
  if (call.n_args == 3) kinds.merge(possible_kinds(call.args[2], scope, context));
  return kinds;
}

PossibleKinds of_sub_link(const PgQuery__SubLink& link, const Scope& scope,
                          const KindContext& context) {
  const auto* const select = as<PgQuery__SelectStmt>(link.subselect);
  if (!select || link.sub_link_type != PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK) {
    return PossibleKinds::of(std::nullopt);
  }
  const std::optional<ColumnKinds> columns = columns_of(*select, &scope, context);
  if (!columns || columns->size() != 1) return PossibleKinds::of(std::nullopt);
  return PossibleKinds::of(columns->front().kind);
}

}  // namespace

PossibleKinds PossibleKinds::of(std::optional<MediaKind> kind) {
  if (!kind) return {0, true, false};
  return {1U << static_cast<unsigned>(*kind), false, false};
}

std::optional<MediaKind> PossibleKinds::only() const {
  if (other || std::popcount(media) != 1) return std::nullopt;
  return static_cast<MediaKind>(std::countr_zero(media));
}

std::vector<MediaKind> PossibleKinds::list() const {
  std::vector<MediaKind> kinds;
  for (const MediaKind kind :
       {MediaKind::kImage, MediaKind::kVideo, MediaKind::kAudio, MediaKind::kDocument}) {
    if (has(kind)) kinds.push_back(kind);
  }
  return kinds;
}

void PossibleKinds::merge(const PossibleKinds& another) {
  media |= another.media;
  other = other || another.other;
  literal = literal || another.literal;
}

PossibleKinds possible_kinds(const Node* node, const Scope& scope, const KindContext& context) {
  if (const auto* reference = as<PgQuery__ColumnRef>(node)) {
    const auto resolved = scope.resolve(*reference);
    return PossibleKinds::of(resolved ? resolved->column->kind : std::nullopt);
  }
  if (const auto* cast = as<PgQuery__TypeCast>(node)) {
    return PossibleKinds::of(media_kind_of_type_name(*cast->type_name));
  }
  if (const auto* constant = as<PgQuery__AConst>(node)) return of_constant(*constant);
  if (as<PgQuery__ParamRef>(node)) return PossibleKinds::of_literal();
  if (const auto* collate = as<PgQuery__CollateClause>(node)) {
    return possible_kinds(collate->arg, scope, context);
  }
  if (const auto* first = as<PgQuery__CoalesceExpr>(node)) {
    return of_all(sql::nodes(first->n_args, first->args), scope, context);
  }
  if (const auto* extreme = as<PgQuery__MinMaxExpr>(node)) {
    return of_all(sql::nodes(extreme->n_args, extreme->args), scope, context);
  }
  if (const auto* choice = as<PgQuery__CaseExpr>(node)) return of_case(*choice, scope, context);
  if (const auto* call = as<PgQuery__FuncCall>(node)) return of_call(*call, scope, context);
  if (const auto* link = as<PgQuery__SubLink>(node)) return of_sub_link(*link, scope, context);
  if (const auto* expression = as<PgQuery__AExpr>(node)) {
    if (expression->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF) {
      return possible_kinds(expression->lexpr, scope, context);
    }
  }
  return PossibleKinds::of(std::nullopt);
}

std::optional<MediaKind> infer_kind(const Node* expression, const Scope& scope,
                                    const KindContext& context) {
  return possible_kinds(expression, scope, context).only();
}

std::optional<MediaKind> media_kind_of_type_name(const PgQuery__TypeName& type) {
  const std::vector<std::string> names = sql::names_in(type.n_names, type.names);
  if (names.empty() || type.n_array_bounds > 0 || type.setof) return std::nullopt;
  const bool ours = names.size() == 1 || (names.size() == 2 && names[0] == "coppice");
  return ours ? catalog::media_kind_of_type(names.back()) : std::nullopt;
}

bool has_engine_name(const PgQuery__FuncCall& call, const FunctionTable& functions) {
  const std::vector<std::string> names = sql::names_in(call.n_funcname, call.funcname);
  if (names.empty() || names.size() > 2) return false;
  return functions.contains(sql::function_name(call)) ||
         bound_signature(call, functions) != nullptr;
}

const Signature* bound_signature(const PgQuery__FuncCall& call, const FunctionTable& functions) {
  if (call.n_funcname != 2) return nullptr;
  const std::vector<std::string> names = sql::names_in(call.n_funcname, call.funcname);
  return names[0] == "coppice" ? functions.by_stub_name(names[1]) : nullptr;
}

namespace {

bool finds_bound_call(sql::Message* root, const FunctionTable& functions) {
  return !sql::walk(root, [&](sql::Message& message) {
    const auto* const call = as<PgQuery__FuncCall>(message);
    return call && bound_signature(*call, functions) ? sql::Visit::kStop : sql::Visit::kInto;
  });
}

}  // namespace

bool has_bound_call(const Node* node, const FunctionTable& functions) {
  return finds_bound_call(sql::message_of(const_cast<Node*>(node)), functions);
}

bool has_bound_call(const PgQuery__SelectStmt& select, const FunctionTable& functions) {
  return finds_bound_call(sql::message_of(const_cast<PgQuery__SelectStmt*>(&select)), functions);
}

bool is_engine_call(const PgQuery__FuncCall& call, const Scope& scope, const KindContext& context) {
  if (!has_engine_name(call, context.functions)) return false;
  if (call.n_funcname == 2) return true;
  if (!context.functions.is_server_name(called_name(call))) return true;
  if (call.n_args == 0) return false;
  const auto* const named = as<PgQuery__NamedArgExpr>(call.args[0]);
  const Node* const first = named ? named->arg : call.args[0];
  return possible_kinds(first, scope, context).media != 0;
}

}  // namespace coppice::exec
