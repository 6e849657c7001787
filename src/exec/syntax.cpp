#include "exec/syntax.h"

#include <cstring>

#include "sql/deep_stack.h"
#include "sql/deparse.h"

namespace coppice::exec {
namespace {

using sql::Arena;
using sql::Message;
using sql::Node;

constexpr std::size_t kShownCharacters = 40;

int own_location(const Message& message) {
  for (unsigned i = 0; i < message.descriptor->n_fields; ++i) {
    const ProtobufCFieldDescriptor& field = message.descriptor->fields[i];
    if (field.type == PROTOBUF_C_TYPE_INT32 && std::strcmp(field.name, "location") == 0) {
      return *reinterpret_cast<const std::int32_t*>(reinterpret_cast<const char*>(&message) +
                                                    field.offset);
    }
  }
  return -1;
}

void drop_schema(Arena& arena, PgQuery__TypeName& type) {
  const std::vector<std::string> names = sql::names_in(type.n_names, type.names);
  if (names.size() != 2 || names[0] != "coppice") return;
  Node* const name = sql::make::name(arena, names[1]);
  sql::make::set_list(arena, {&name, 1}, type.n_names, type.names);
}

// Gives a bound call the name that the user wrote, and its arguments without the binder's casts.
void unbind(Arena& arena, PgQuery__FuncCall& call) {
  const sql::QualifiedName name = sql::function_name(call);
  const std::size_t end = name.name.find('(');
  if (name.schema != "coppice" || end == std::string::npos) return;
  // A user's function has its schema in front: "films.caption(image)".
  const std::string full = name.name.substr(0, end);
  const std::size_t dot = full.find('.');
  std::vector<Node*> names;
  if (dot != std::string::npos && full.substr(0, dot) != "public") {
    names.push_back(sql::make::name(arena, full.substr(0, dot)));
  }
  names.push_back(sql::make::name(arena, dot == std::string::npos ? full : full.substr(dot + 1)));
  sql::make::set_list(arena, names, call.n_funcname, call.funcname);
  for (Node*& argument : sql::nodes(call.n_args, call.args)) {
    if (auto* const cast = sql::as<PgQuery__TypeCast>(argument)) argument = cast->arg;
  }
}

}  // namespace

Node* make_case(Arena& arena, Node* condition, Node* value) {
  auto* const branch = make_message<PgQuery__CaseWhen>(arena);
  branch->expr = condition;
  branch->result = value;
  branch->location = -1;
  auto* const choice = make_message<PgQuery__CaseExpr>(arena);
  Node* const branch_node = sql::make::wrap(arena, branch);
  sql::make::set_list(arena, {&branch_node, 1}, choice->n_args, choice->args);
  choice->location = -1;
  return sql::make::wrap(arena, choice);
}

Node* make_is_not_true(Arena& arena, Node* condition) {
  auto* const test = make_message<PgQuery__BooleanTest>(arena);
  test->arg = condition;
  test->booltesttype = PG_QUERY__BOOL_TEST_TYPE__IS_NOT_TRUE;
  test->location = -1;
  return sql::make::wrap(arena, test);
}

Node* make_column(Arena& arena, std::string_view qualifier, std::string_view name, int location) {
  Node* const node = qualifier.empty() ? sql::make::column(arena, {name})
                                       : sql::make::column(arena, {qualifier, name});
  sql::as<PgQuery__ColumnRef>(node)->location = location;
  return node;
}

std::string called_name(const PgQuery__FuncCall& call) { return sql::function_name(call).name; }

bool is_star(const PgQuery__ColumnRef& reference) {
  return sql::column_ref_names(reference).back() == "*";
}

int location_of(const Message& root) {
  int found = -1;
  sql::walk(const_cast<Message*>(&root), [&](Message& message) {
    found = own_location(message);
    return found >= 0 ? sql::Visit::kStop : sql::Visit::kInto;
  });
  return found;
}

int location_of(const Node* node) {
  const Message* const message = sql::message_of(const_cast<Node*>(node));
  return message ? location_of(*message) : -1;
}

void unbind_calls(Node*& root, Arena& arena) {
  sql::rewrite_bottom_up(root, [&](Node*& slot) {
    auto* const call = sql::as<PgQuery__FuncCall>(slot);
    if (call) unbind(arena, *call);
    auto* const cast = sql::as<PgQuery__TypeCast>(slot);
    if (cast) drop_schema(arena, *cast->type_name);
  });
}

// Without the conversion to a column's type around it, which has no place in any text.
Node* without_assignment(Node* expression) {
  if (const auto* call = sql::as<PgQuery__FuncCall>(expression)) {
    const bool of_length = sql::function_name(*call).schema == "pg_catalog" && call->n_args == 3;
    if (of_length && call->location < 0) expression = call->args[0];
  }
  const auto* cast = sql::as<PgQuery__TypeCast>(expression);
  return cast != nullptr && cast->location < 0 ? cast->arg : expression;
}

std::string user_text(const Node* expression) {
  Arena arena;
  Node* copy = without_assignment(sql::clone(arena, expression));
  unbind_calls(copy, arena);
  return sql::deparse_expression(copy);
}

std::string short_text(const Node* expression) {
  std::string text = user_text(expression);
  if (text.size() <= kShownCharacters) return text;
  std::size_t cut = kShownCharacters;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0U) == 0x80U) --cut;
  return text.substr(0, cut) + "…";
}

std::vector<Node*> and_terms(Node* condition) {
  if (!condition) return {};
  const auto* const expression = sql::as<PgQuery__BoolExpr>(condition);
  if (!expression || expression->boolop != PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR) return {condition};
  std::vector<Node*> terms;
  for (Node* const argument : sql::nodes(expression->n_args, expression->args)) {
    const std::vector<Node*> below = and_terms(argument);
    terms.insert(terms.end(), below.begin(), below.end());
  }
  return terms;
}

void with_stack_for(const Node* root, const std::function<void()>& work) {
  const auto* const message = reinterpret_cast<const Message*>(root);
  sql::run_on_deep_stack(message ? sql::message_depth(message) : 0, work);
}

}  // namespace coppice::exec
