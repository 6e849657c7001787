// Tree: walking, rewriting, copying and comparing the parser's tree.
//
// Model    The tree is libpg_query's own: protobuf-c structs (PgQuery__SelectStmt …) of which every
//          one begins with its descriptor. A PgQuery__Node is only an envelope around one of them;
//          walks look through envelopes, so a visitor sees the typed message itself:
//            walk(message_of(statement.node()), [&](Message& m) {
//              if (auto* call = as<PgQuery__FuncCall>(m)) …;
//              return Visit::kInto;
//            });
//          Every function here keeps its own stack on the heap: no tree is too deep for it.
// Units    Locations are byte offsets into the statement's text; -1 is unknown.
// Threads  A tree belongs to one thread at a time.
#pragma once

#include <pg_query/pg_query.pb-c.h>

#include <cstdint>
#include <functional>
#include <span>

#include "sql/arena.h"
#include "sql/message_types.h"

namespace coppice::sql {

using Node = PgQuery__Node;
using Message = ProtobufCMessage;

template <class T>
struct MessageType;  // specialised for each line of message_types.h

#define COPPICE_SQL_MESSAGE_TYPE(Type, descriptor_name, CASE)                     \
  template <>                                                                     \
  struct MessageType<PgQuery__##Type> {                                           \
    static constexpr const ProtobufCMessageDescriptor* kDescriptor =              \
        &pg_query__##descriptor_name##__descriptor;                               \
    static constexpr PgQuery__Node__NodeCase kCase = PG_QUERY__NODE__NODE_##CASE; \
  };
COPPICE_SQL_MESSAGES(COPPICE_SQL_MESSAGE_TYPE)
#undef COPPICE_SQL_MESSAGE_TYPE

// The message as a T, or nullptr when it is something else (or nothing).
template <class T>
T* as(Message* message) {
  const bool is = message && message->descriptor == MessageType<T>::kDescriptor;
  return is ? reinterpret_cast<T*>(message) : nullptr;
}
template <class T>
T* as(Message& message) {
  return as<T>(&message);
}
template <class T>
T* as(Node* node) {
  const bool is = node && node->node_case == MessageType<T>::kCase;
  return is ? reinterpret_cast<T*>(node->alias) : nullptr;
}
template <class T>
const T* as(const Node* node) {
  return as<T>(const_cast<Node*>(node));
}

// What is in the envelope; nullptr for an empty one (PostgreSQL's NULL in a list).
Message* message_of(Node* node);
// Any typed message as a plain one.
template <class T>
Message* message_of(T* typed) {
  return reinterpret_cast<Message*>(typed);
}

// The elements of a repeated field: nodes(select->n_target_list, select->target_list).
inline std::span<Node*> nodes(std::size_t count, Node** items) { return {items, count}; }

enum class Visit { kInto, kSkip, kStop };

// Visits `root` and all below it, parents first, fields in the order of the grammar's structs.
// kSkip passes over what is below the message; kStop ends the walk. Returns false when stopped.
// The visitor may change the message it is given.
bool walk(Message* root, const std::function<Visit(Message&)>& visitor);
bool walk(Node* root, const std::function<Visit(Message&)>& visitor);
// The messages directly below this one.
void for_each_child(Message& message, const std::function<void(Message&)>& visitor);

// Calls `change` for every Node slot, `root` included; it may put another node into the slot.
// Top down: kInto goes on into whatever is then in the slot, so return kSkip after wrapping a node.
bool rewrite_top_down(Node*& root, const std::function<Visit(Node*& slot)>& change);
// Bottom up: what is below a slot was rewritten before; replacements are not looked into.
void rewrite_bottom_up(Node*& root, const std::function<void(Node*& slot)>& change);

// A deep copy in `arena`.
Message* clone_message(Arena& arena, const Message* message);
template <class T>
T* clone(Arena& arena, const T* typed) {
  return reinterpret_cast<T*>(clone_message(arena, reinterpret_cast<const Message*>(typed)));
}

// Equal in everything but locations. Two null pointers are equal.
bool equal(const Message* a, const Message* b);
template <class T>
bool equal(const T* a, const T* b) {
  return equal(reinterpret_cast<const Message*>(a), reinterpret_cast<const Message*>(b));
}

// Levels of messages, envelopes counted: what libpg_query will recurse.
std::size_t message_depth(const Message* root);

// Replaces every known location below `root` by change(location).
void change_locations(Message* root, const std::function<std::int32_t(std::int32_t)>& change);

}  // namespace coppice::sql
