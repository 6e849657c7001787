// Make: new nodes in the arena of a tree, in the very form that the parser would give them.
//
// Model    A node made here and the parser's node for the same text are equal() (tree.h), so what
//          deparse (deparse.h) writes reads back as the same tree. Arguments that are nodes become
//          part of the new one and must live in the same arena; names and texts are copied.
//          Locations are -1, unknown.
// Errors   kSyntax from type_name and type_cast when the type's text is not a type.
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>

#include "sql/tree.h"

namespace coppice::sql::make {

// A typed message in its envelope.
template <class T>
Node* wrap(Arena& arena, T* message) {
  auto* const node = static_cast<Node*>(arena.allocate(sizeof(Node)));
  pg_query__node__init(node);
  node->node_case = MessageType<T>::kCase;
  node->alias = reinterpret_cast<PgQuery__Alias*>(message);
  return node;
}

// Points a repeated field at a copy of `items`: set_list(arena, items, call->n_args, call->args).
void set_list(Arena& arena, std::span<Node* const> items, std::size_t& count, Node**& field);

Node* name(Arena& arena, std::string_view text);  // String, as lists of names hold it
Node* list(Arena& arena, std::span<Node* const> items);

Node* string_constant(Arena& arena, std::string_view text);
Node* integer_constant(Arena& arena, std::int64_t value);
Node* boolean_constant(Arena& arena, bool value);
Node* null_constant(Arena& arena);
Node* parameter(Arena& arena, int number);  // $number

Node* column(Arena& arena, std::initializer_list<std::string_view> names);
Node* star(Arena& arena);
// An empty schema leaves the name unqualified.
Node* function_call(Arena& arena, std::string_view schema, std::string_view function,
                    std::span<Node* const> arguments);
Node* binary_operator(Arena& arena, std::string_view symbol, Node* left, Node* right);
// AND flattens: operands that are themselves ANDs are taken apart. One operand is given back as it
// is, none is an error of the caller.
Node* and_of(Arena& arena, std::span<Node* const> operands);
Node* not_of(Arena& arena, Node* operand);
Node* is_null(Arena& arena, Node* operand);

// `type` as SQL writes it: "bigint", "numeric(10,2)", "films.kind", "image[]".
PgQuery__TypeName* type_name(Arena& arena, std::string_view type);
Node* type_cast(Arena& arena, Node* operand, std::string_view type);

PgQuery__RangeVar* relation(Arena& arena, std::string_view schema, std::string_view table,
                            std::string_view alias = {});
Node* target(Arena& arena, Node* value, std::string_view alias = {});
// (query) AS alias, for FROM.
Node* subquery(Arena& arena, PgQuery__SelectStmt* query, std::string_view alias);

// SELECT of nothing from nothing, with the defaults that the parser sets.
PgQuery__SelectStmt* select(Arena& arena);

}  // namespace coppice::sql::make
