#include "sql/make.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "base/error.h"
#include "sql/parse.h"

namespace coppice::sql::make {
namespace {

template <class T>
T* create(Arena& arena) {
  auto* const message = static_cast<T*>(arena.allocate(sizeof(T)));
  protobuf_c_message_init(MessageType<T>::kDescriptor, message);
  return message;
}

template <class T>
T* create_located(Arena& arena) {
  T* const message = create<T>(arena);
  message->location = -1;
  return message;
}

PgQuery__Alias* alias_of(Arena& arena, std::string_view text) {
  auto* const alias = create<PgQuery__Alias>(arena);
  alias->aliasname = arena.copy(text);
  return alias;
}

PgQuery__AConst* constant(Arena& arena, PgQuery__AConst__ValCase value_case) {
  auto* const value = create_located<PgQuery__AConst>(arena);
  value->val_case = value_case;
  return value;
}

Node* boolean(Arena& arena, PgQuery__BoolExprType type, std::span<Node* const> operands) {
  auto* const expression = create_located<PgQuery__BoolExpr>(arena);
  expression->boolop = type;
  set_list(arena, operands, expression->n_args, expression->args);
  return wrap(arena, expression);
}

}  // namespace

void set_list(Arena& arena, std::span<Node* const> items, std::size_t& count, Node**& field) {
  Node** const copy = arena.allocate_array<Node*>(items.size());
  std::copy(items.begin(), items.end(), copy);
  count = items.size();
  field = copy;
}

Node* name(Arena& arena, std::string_view text) {
  auto* const string = create<PgQuery__String>(arena);
  string->sval = arena.copy(text);
  return wrap(arena, string);
}

Node* list(Arena& arena, std::span<Node* const> items) {
  auto* const result = create<PgQuery__List>(arena);
  set_list(arena, items, result->n_items, result->items);
  return wrap(arena, result);
}

Node* string_constant(Arena& arena, std::string_view text) {
  auto* const value = constant(arena, PG_QUERY__A__CONST__VAL_SVAL);
  value->sval = create<PgQuery__String>(arena);
  value->sval->sval = arena.copy(text);
  return wrap(arena, value);
}

Node* integer_constant(Arena& arena, std::int64_t number) {
  if (number >= std::numeric_limits<std::int32_t>::min() &&
      number <= std::numeric_limits<std::int32_t>::max()) {
    // Written and read back as -(2147483648), which is no 32-bit integer.
    if (number != std::numeric_limits<std::int32_t>::min()) {
      auto* const value = constant(arena, PG_QUERY__A__CONST__VAL_IVAL);
      value->ival = create<PgQuery__Integer>(arena);
      value->ival->ival = static_cast<std::int32_t>(number);
      return wrap(arena, value);
    }
  }
  auto* const value = constant(arena, PG_QUERY__A__CONST__VAL_FVAL);
  value->fval = create<PgQuery__Float>(arena);
  value->fval->fval = arena.copy(std::to_string(number));
  return wrap(arena, value);
}

Node* boolean_constant(Arena& arena, bool truth) {
  auto* const value = constant(arena, PG_QUERY__A__CONST__VAL_BOOLVAL);
  value->boolval = create<PgQuery__Boolean>(arena);
  value->boolval->boolval = truth;
  return wrap(arena, value);
}

Node* null_constant(Arena& arena) {
  auto* const value = constant(arena, PG_QUERY__A__CONST__VAL__NOT_SET);
  value->isnull = true;
  return wrap(arena, value);
}

Node* parameter(Arena& arena, int number) {
  auto* const reference = create_located<PgQuery__ParamRef>(arena);
  reference->number = number;
  return wrap(arena, reference);
}

Node* column(Arena& arena, std::initializer_list<std::string_view> names) {
  std::vector<Node*> parts;
  for (const std::string_view part : names) parts.push_back(name(arena, part));
  auto* const reference = create_located<PgQuery__ColumnRef>(arena);
  set_list(arena, parts, reference->n_fields, reference->fields);
  return wrap(arena, reference);
}

Node* star(Arena& arena) {
  Node* const all = wrap(arena, create<PgQuery__AStar>(arena));
  auto* const reference = create_located<PgQuery__ColumnRef>(arena);
  set_list(arena, std::span(&all, 1), reference->n_fields, reference->fields);
  return wrap(arena, reference);
}

Node* function_call(Arena& arena, std::string_view schema, std::string_view function,
                    std::span<Node* const> arguments) {
  std::vector<Node*> names;
  if (!schema.empty()) names.push_back(name(arena, schema));
  names.push_back(name(arena, function));
  auto* const call = create_located<PgQuery__FuncCall>(arena);
  call->funcformat = PG_QUERY__COERCION_FORM__COERCE_EXPLICIT_CALL;
  set_list(arena, names, call->n_funcname, call->funcname);
  set_list(arena, arguments, call->n_args, call->args);
  return wrap(arena, call);
}

Node* binary_operator(Arena& arena, std::string_view symbol, Node* left, Node* right) {
  Node* const operator_name = name(arena, symbol);
  auto* const expression = create_located<PgQuery__AExpr>(arena);
  expression->kind = PG_QUERY__A__EXPR__KIND__AEXPR_OP;
  set_list(arena, std::span(&operator_name, 1), expression->n_name, expression->name);
  expression->lexpr = left;
  expression->rexpr = right;
  return wrap(arena, expression);
}

Node* and_of(Arena& arena, std::span<Node* const> operands) {
  COPPICE_ASSERT(!operands.empty());
  if (operands.size() == 1) return operands.front();
  std::vector<Node*> flat;
  for (Node* const operand : operands) {
    const auto* inner = as<PgQuery__BoolExpr>(operand);
    if (inner && inner->boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR) {
      flat.insert(flat.end(), inner->args, inner->args + inner->n_args);
    } else {
      flat.push_back(operand);
    }
  }
  return boolean(arena, PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR, flat);
}

Node* not_of(Arena& arena, Node* operand) {
  return boolean(arena, PG_QUERY__BOOL_EXPR_TYPE__NOT_EXPR, std::span(&operand, 1));
}

Node* is_null(Arena& arena, Node* operand) {
  auto* const test = create_located<PgQuery__NullTest>(arena);
  test->arg = operand;
  test->nulltesttype = PG_QUERY__NULL_TEST_TYPE__IS_NULL;
  return wrap(arena, test);
}

PgQuery__TypeName* type_name(Arena& arena, std::string_view type) {
  // Parsed, because the grammar has many own forms: double precision, time (3) with time zone.
  Statement cast = parse_expression(fmt::format("NULL::{}", type));
  auto* const expression = as<PgQuery__TypeCast>(cast.node());
  const auto* operand = expression ? as<PgQuery__AConst>(expression->arg) : nullptr;
  if (!operand || !operand->isnull) {
    throw Error(ErrorCode::kSyntax, fmt::format("\"{}\" is not a type", type));
  }
  PgQuery__TypeName* const copy = clone(arena, expression->type_name);
  change_locations(message_of(copy), [](std::int32_t) { return -1; });
  return copy;
}

Node* type_cast(Arena& arena, Node* operand, std::string_view type) {
  auto* const cast = create_located<PgQuery__TypeCast>(arena);
  cast->arg = operand;
  cast->type_name = type_name(arena, type);
  return wrap(arena, cast);
}

PgQuery__RangeVar* relation(Arena& arena, std::string_view schema, std::string_view table,
                            std::string_view alias) {
  auto* const result = create_located<PgQuery__RangeVar>(arena);
  if (!schema.empty()) result->schemaname = arena.copy(schema);
  result->relname = arena.copy(table);
  result->relpersistence = arena.copy("p");
  result->inh = true;
  if (!alias.empty()) result->alias = alias_of(arena, alias);
  return result;
}

Node* target(Arena& arena, Node* value, std::string_view alias) {
  auto* const result = create_located<PgQuery__ResTarget>(arena);
  result->val = value;
  if (!alias.empty()) result->name = arena.copy(alias);
  return wrap(arena, result);
}

Node* subquery(Arena& arena, PgQuery__SelectStmt* query, std::string_view alias) {
  auto* const result = create<PgQuery__RangeSubselect>(arena);
  result->subquery = wrap(arena, query);
  result->alias = alias_of(arena, alias);
  return wrap(arena, result);
}

PgQuery__SelectStmt* select(Arena& arena) {
  auto* const result = create<PgQuery__SelectStmt>(arena);
  result->limit_option = PG_QUERY__LIMIT_OPTION__LIMIT_OPTION_DEFAULT;
  result->op = PG_QUERY__SET_OPERATION__SETOP_NONE;
  return result;
}

}  // namespace coppice::sql::make
