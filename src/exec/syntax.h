// Small readings and makings of syntax that this component shares; sql/make.h and sql/read.h have
// the rest.
//
// Threads  As the tree.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sql/make.h"
#include "sql/read.h"
#include "sql/tree.h"

namespace coppice::exec {

// An empty message of this type.
template <class T>
T* make_message(sql::Arena& arena) {
  const ProtobufCMessageDescriptor* const descriptor = sql::MessageType<T>::kDescriptor;
  auto* const message = static_cast<sql::Message*>(arena.allocate(descriptor->sizeof_message));
  descriptor->message_init(message);
  return reinterpret_cast<T*>(message);
}

// CASE WHEN condition THEN value END
sql::Node* make_case(sql::Arena& arena, sql::Node* condition, sql::Node* value);
sql::Node* make_is_not_true(sql::Arena& arena, sql::Node* condition);
sql::Node* make_column(sql::Arena& arena, std::string_view qualifier, std::string_view name,
                       int location);

// The last name of a function call: "width" of coppice.width(…).
std::string called_name(const PgQuery__FuncCall& call);
bool is_star(const PgQuery__ColumnRef& reference);

// Where a node is in the text: its own location or, when it has none, that of the first message
// below it that has one; -1 when there is none.
int location_of(const sql::Node* node);
int location_of(const sql::Message& message);

// Bound calls (exec/binder.h) become plain again, and media types lose their schema.
void unbind_calls(sql::Node*& root, sql::Arena& arena);
// The expression as the user may have written it: bound calls (exec/binder.h) are plain again.
std::string user_text(const sql::Node* expression);
// The same, cut after about 40 characters: for messages.
std::string short_text(const sql::Node* expression);

// The top-level AND terms of a condition; none for nullptr.
std::vector<sql::Node*> and_terms(sql::Node* condition);

// Runs `work`, which recurses over `root`, on a stack that is deep enough for it.
void with_stack_for(const sql::Node* root, const std::function<void()>& work);

}  // namespace coppice::exec
