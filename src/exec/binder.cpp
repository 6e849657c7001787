#include "exec/binder.h"

#include <fmt/format.h>

#include "base/text.h"
#include "exec/call_sites.h"
#include "exec/column_names.h"
#include "exec/overload.h"
#include "exec/select_form.h"
#include "exec/syntax.h"
#include "sql/parse.h"

namespace coppice::exec {
namespace {

using sql::as;
using sql::Message;
using sql::Node;
using sql::Visit;

// The string constants that may become the value of `node`, a media value of that kind.
void collect_literals(Node* node, MediaKind kind, std::vector<MediaLiteral>& literals) {
  const auto collect_all = [&](std::size_t count, Node** items) {
    for (Node* const item : sql::nodes(count, items)) collect_literals(item, kind, literals);
  };
  if (auto* const constant = as<PgQuery__AConst>(node)) {
    const bool text = !constant->isnull && constant->val_case == PG_QUERY__A__CONST__VAL_SVAL;
    if (text) literals.push_back({constant, kind});
  } else if (auto* const cast = as<PgQuery__TypeCast>(node)) {
    if (media_kind_of_type_name(*cast->type_name) == kind) {
      collect_literals(cast->arg, kind, literals);
    }
  } else if (auto* const first = as<PgQuery__CoalesceExpr>(node)) {
    collect_all(first->n_args, first->args);
  } else if (auto* const extreme = as<PgQuery__MinMaxExpr>(node)) {
    collect_all(extreme->n_args, extreme->args);
  } else if (auto* const choice = as<PgQuery__CaseExpr>(node)) {
    for (Node* const item : sql::nodes(choice->n_args, choice->args)) {
      collect_literals(as<PgQuery__CaseWhen>(item)->result, kind, literals);
    }
    collect_literals(choice->defresult, kind, literals);
  }
}

Node* default_argument(sql::Arena& arena, const Parameter& parameter) {
  const sql::Statement parsed = sql::parse_expression(*parameter.default_sql);
  Node* const value = sql::clone(arena, parsed.node());
  sql::change_locations(reinterpret_cast<Message*>(value), [](std::int32_t) { return -1; });
  return value;
}

Node* cast_argument(Node* argument, const Parameter& parameter, BindContext& context) {
  const std::optional<MediaKind> kind = media_kind_of(parameter.type);
  if (kind) collect_literals(argument, *kind, context.literals);
  return sql::make::type_cast(context.arena, argument, server_type_name(parameter.type));
}

void rewrite_call(PgQuery__FuncCall& call, const MatchedCall& matched, BindContext& context) {
  const std::vector<Parameter>& parameters = matched.signature->parameters;
  std::vector<Node*> arguments;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    Node* const given = matched.arguments[i];
    arguments.push_back(cast_argument(
        given ? given : default_argument(context.arena, parameters[i]), parameters[i], context));
  }
  sql::make::set_list(context.arena, arguments, call.n_args, call.args);
  const std::vector<Node*> name = {sql::make::name(context.arena, "coppice"),
                                   sql::make::name(context.arena, stub_name(*matched.signature))};
  sql::make::set_list(context.arena, name, call.n_funcname, call.funcname);
}

[[noreturn]] void refuse(const CallSite& site, const BindContext& context) {
  const Signature* const bound = bound_signature(*site.call, context.functions);
  const std::string name = bound ? bound->name : called_name(*site.call);
  std::string hint = site.refusal->rewriting;
  const std::string text = short_text(sql::make::wrap(context.arena, site.call));
  const auto fill = [&](std::string_view hole, const std::string& with) {
    for (std::size_t at = hint.find(hole); at != std::string::npos; at = hint.find(hole, at)) {
      hint.replace(at, hole.size(), with);
      at += with.size();
    }
  };
  fill("{call}", text);
  fill("{name}", name == "text" ? "value" : name);
  throw sql::error_at(
      ErrorCode::kUnsupported, context.source, site.call->location,
      fmt::format("{} is an engine function and cannot stand {}", name, site.refusal->place),
      "Write: " + hint);
}

[[noreturn]] void refuse_iterator(const PgQuery__FuncCall& call, const BindContext& context) {
  const std::string name = called_name(call);
  throw sql::error_at(
      ErrorCode::kUnsupported, context.source, call.location,
      fmt::format("{} is an iterator: it turns one value into many rows, and stands in the FROM of "
                  "a materialized view only",
                  name),
      fmt::format("Write: CREATE MATERIALIZED VIEW … AS SELECT … FROM table AS t, LATERAL "
                  "{}(…) AS i",
                  name));
}

void bind_sites(const CallSites& sites, BindContext& context) {
  const std::vector<CallSite>& all = sites.sites();
  // The calls in an argument come after the call: backwards they are bound first.
  const CallSite* refused = nullptr;
  for (auto site = all.rbegin(); site != all.rend(); ++site) {
    if (!is_engine_call(*site->call, *site->scope, context.kinds())) continue;
    ++context.engine_calls;
    if (is_iterator_call(*site->call, context.functions) && site->call != context.iterator) {
      refuse_iterator(*site->call, context);
    }
    if (site->refusal) refused = &*site;
    if (site->refusal || bound_signature(*site->call, context.functions)) continue;
    rewrite_call(*site->call,
                 match_call(*site->call, *site->scope, context.kinds(), context.source), context);
  }
  if (refused) refuse(*refused, context);
}

PgQuery__FuncCall* first_call(Node* node, const FunctionTable& functions) {
  PgQuery__FuncCall* found = nullptr;
  sql::walk(node, [&](Message& message) {
    auto* const call = as<PgQuery__FuncCall>(message);
    if (call && bound_signature(*call, functions)) found = call;
    return found ? Visit::kStop : Visit::kInto;
  });
  return found;
}

// GROUP BY 1 and GROUP BY <name> may mean a result that an engine function gives.
void check_groups(const CallSites& sites, const BindContext& context) {
  for (const auto& [select, scope] : sites.selects()) {
    for (const Node* const item : sql::nodes(select->n_group_clause, select->group_clause)) {
      const auto index = target_of_group(*select, item, *scope);
      if (!index) continue;
      auto* const call = first_call(target_at(*select, *index).val, context.functions);
      if (call) refuse({call, scope, &group_by_refusal()}, context);
    }
  }
}

// A function called with our schema that we do not have.
void check_qualified_names(const Node* root, const BindContext& context) {
  sql::walk(const_cast<Node*>(root), [&](Message& message) {
    const auto* const call = as<PgQuery__FuncCall>(message);
    if (!call || sql::function_name(*call).schema != "coppice") return Visit::kInto;
    if (has_engine_name(*call, context.functions)) return Visit::kInto;
    const std::string name = called_name(*call);
    throw sql::error_at(ErrorCode::kNotFound, context.source, call->location,
                        fmt::format("there is no engine function \"{}\"", name),
                        did_you_mean(name, context.functions.names()));
  });
}

// PostgreSQL would name a column after the stub.
void name_targets(Node* root, const BindContext& context) {
  sql::walk(root, [&](Message& message) {
    auto* const select = as<PgQuery__SelectStmt>(message);
    if (!select) return Visit::kInto;
    for (Node* const item : sql::nodes(select->n_target_list, select->target_list)) {
      auto* const target = as<PgQuery__ResTarget>(item);
      if (*target->name != '\0') continue;
      if (!mentions_engine_function(target->val, context.functions)) continue;
      target->name = context.arena.copy(default_column_name(target->val));
    }
    return Visit::kInto;
  });
}

}  // namespace

bool is_iterator_call(const PgQuery__FuncCall& call, const FunctionTable& functions) {
  if (const Signature* const bound = bound_signature(call, functions)) return bound->is_iterator();
  const auto overloads = functions.overloads(sql::function_name(call));
  return !overloads.empty() && overloads.front()->is_iterator();
}

bool mentions_engine_function(const Node* node, const FunctionTable& functions) {
  return !sql::walk(const_cast<Node*>(node), [&](Message& message) {
    const auto* const call = as<PgQuery__FuncCall>(message);
    if (!call) return Visit::kInto;
    // A wrong name in our schema is for the binder to explain.
    const bool ours =
        has_engine_name(*call, functions) || sql::function_name(*call).schema == "coppice";
    return ours ? Visit::kStop : Visit::kInto;
  });
}

void bind_expression(Node*& expression, const Scope& scope, BindContext& context) {
  with_stack_for(expression, [&] {
    check_qualified_names(expression, context);
    CallSites sites(context.kinds());
    sites.add_expression(expression, scope);
    bind_sites(sites, context);
  });
}

void bind_select(PgQuery__SelectStmt& select, BindContext& context) {
  Node* const root = sql::make::wrap(context.arena, &select);
  with_stack_for(root, [&] {
    check_qualified_names(root, context);
    name_targets(root, context);
    CallSites sites(context.kinds());
    sites.add_select(select, nullptr);
    bind_sites(sites, context);
    check_groups(sites, context);
    context.columns = columns_of(select, nullptr, context.kinds());
  });
}

std::string unknown_function_hint(const pg::ServerError& error, const FunctionTable& functions) {
  constexpr std::string_view kUndefinedFunction = "42883";
  constexpr std::string_view kBefore = "function ";
  const std::string& message = error.fields().primary;
  if (error.sqlstate() != kUndefinedFunction || !message.starts_with(kBefore)) return {};
  std::string name = message.substr(kBefore.size(), message.find('(') - kBefore.size());
  if (const auto dot = name.rfind('.'); dot != std::string::npos) name.erase(0, dot + 1);
  if (!functions.contains({"", name})) return did_you_mean(name, functions.names());
  std::vector<std::string> texts;
  for (const Signature* const signature : functions.overloads({"", name})) {
    texts.push_back(printed_signature(*signature));
  }
  return "The engine function is " + join(texts, ", ") + ".";
}

}  // namespace coppice::exec
