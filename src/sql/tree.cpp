#include "sql/tree.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

namespace coppice::sql {
namespace {

using Field = ProtobufCFieldDescriptor;

template <class T>
T& member(const Message* message, unsigned offset) {
  auto* const bytes = const_cast<char*>(reinterpret_cast<const char*>(message));
  return *reinterpret_cast<T*>(bytes + offset);
}

std::span<const Field> fields(const Message* message) {
  return {message->descriptor->fields, message->descriptor->n_fields};
}

bool is_repeated(const Field& field) { return field.label == PROTOBUF_C_LABEL_REPEATED; }
bool is_message(const Field& field) { return field.type == PROTOBUF_C_TYPE_MESSAGE; }

// A member of a oneof shares its place with the others: only the chosen one may be read.
bool is_chosen(const Message* message, const Field& field) {
  return (field.flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0 ||
         member<std::uint32_t>(message, field.quantifier_offset) == field.id;
}

bool is_envelope(const Message* message) {
  return message->descriptor == &pg_query__node__descriptor;
}

Message*& envelope_slot(const Message* envelope) {
  return member<Message*>(envelope, offsetof(Node, alias));
}

bool is_empty_envelope(const Message* envelope) {
  return reinterpret_cast<const Node*>(envelope)->node_case == PG_QUERY__NODE__NODE__NOT_SET;
}

// Calls visitor(Message*& slot) for each slot that holds a message, in order. Looking through the
// 240 fields of an envelope for the chosen one would cost more than all the rest.
template <class Visitor>
void each_slot(const Message* message, const Visitor& visitor) {
  if (is_envelope(message)) {
    if (!is_empty_envelope(message)) visitor(envelope_slot(message));
    return;
  }
  for (const Field& field : fields(message)) {
    if (!is_message(field) || !is_chosen(message, field)) continue;
    if (is_repeated(field)) {
      const auto count = member<std::size_t>(message, field.quantifier_offset);
      auto** const items = member<Message**>(message, field.offset);
      for (std::size_t i = 0; i < count; ++i) visitor(items[i]);
    } else if (auto*& slot = member<Message*>(message, field.offset); slot) {
      visitor(slot);
    }
  }
}

Message* open_envelope(Message* message) {
  if (!is_envelope(message)) return message;
  return is_empty_envelope(message) ? nullptr : envelope_slot(message);
}

bool is_location(const Field& field) {
  const std::string_view name = field.name;
  return field.type == PROTOBUF_C_TYPE_INT32 &&
         (name == "location" || name == "stmt_location" || name == "stmt_len");
}

std::size_t scalar_bytes(const Field& field) {
  switch (field.type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
      return 8;
    case PROTOBUF_C_TYPE_STRING:
      return sizeof(char*);
    case PROTOBUF_C_TYPE_BYTES:
      return sizeof(ProtobufCBinaryData);
    default:
      return 4;  // integers of 32 bits, float, enum, and protobuf_c_boolean, an int
  }
}

bool equal_scalar(const Field& field, const char* a, const char* b) {
  if (field.type == PROTOBUF_C_TYPE_STRING) {
    const char* const left = *reinterpret_cast<char* const*>(a);
    const char* const right = *reinterpret_cast<char* const*>(b);
    return std::string_view(left ? left : "") == std::string_view(right ? right : "");
  }
  return std::memcmp(a, b, scalar_bytes(field)) == 0;
}

using Pairs = std::vector<std::pair<const Message*, const Message*>>;

// Compares one field, leaving submessages for later.
bool equal_field(const Field& field, const Message* a, const Message* b, Pairs& later) {
  if ((field.flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
      member<std::uint32_t>(a, field.quantifier_offset) !=
          member<std::uint32_t>(b, field.quantifier_offset)) {
    return false;
  }
  if (!is_chosen(a, field) || is_location(field)) return true;
  if (!is_repeated(field)) {
    if (!is_message(field)) {
      return equal_scalar(field, &member<char>(a, field.offset), &member<char>(b, field.offset));
    }
    later.emplace_back(member<Message*>(a, field.offset), member<Message*>(b, field.offset));
    return true;
  }
  const auto count = member<std::size_t>(a, field.quantifier_offset);
  if (count != member<std::size_t>(b, field.quantifier_offset)) return false;
  if (is_message(field)) {
    for (std::size_t i = 0; i < count; ++i) {
      later.emplace_back(member<Message**>(a, field.offset)[i],
                         member<Message**>(b, field.offset)[i]);
    }
    return true;
  }
  const std::size_t step = scalar_bytes(field);
  for (std::size_t i = 0; i < count; ++i) {
    if (!equal_scalar(field, member<char*>(a, field.offset) + i * step,
                      member<char*>(b, field.offset) + i * step)) {
      return false;
    }
  }
  return true;
}

// Gives the copy its own strings and arrays. Submessages still point into the original.
void own_members(Arena& arena, Message* copy) {
  for (const Field& field : fields(copy)) {
    if (!is_chosen(copy, field)) continue;
    if (is_repeated(field)) {
      auto*& items = member<char*>(copy, field.offset);
      const std::size_t bytes = member<std::size_t>(copy, field.quantifier_offset) *
                                (is_message(field) ? sizeof(Message*) : scalar_bytes(field));
      if (bytes == 0) continue;
      items = static_cast<char*>(std::memcpy(arena.allocate(bytes), items, bytes));
    } else if (field.type == PROTOBUF_C_TYPE_STRING) {
      auto*& text = member<char*>(copy, field.offset);
      if (text && *text) text = arena.copy(text);
    }
  }
}

Message* shallow_copy(Arena& arena, const Message* message) {
  const std::size_t bytes = message->descriptor->sizeof_message;
  auto* const copy = static_cast<Message*>(std::memcpy(arena.allocate(bytes), message, bytes));
  if (!is_envelope(copy)) own_members(arena, copy);
  return copy;
}

bool is_node_slot(const Message* content) { return is_envelope(content); }

}  // namespace

Message* message_of(Node* node) {
  return node ? open_envelope(reinterpret_cast<Message*>(node)) : nullptr;
}

bool walk(Message* root, const std::function<Visit(Message&)>& visitor) {
  std::vector<Message*> stack;
  if (root) stack.push_back(root);
  while (!stack.empty()) {
    Message* const message = open_envelope(stack.back());
    stack.pop_back();
    if (!message) continue;
    const Visit visit = visitor(*message);
    if (visit == Visit::kStop) return false;
    if (visit == Visit::kSkip) continue;
    const std::size_t first = stack.size();
    each_slot(message, [&](Message*& slot) { stack.push_back(slot); });
    std::reverse(stack.begin() + static_cast<std::ptrdiff_t>(first), stack.end());
  }
  return true;
}

bool walk(Node* root, const std::function<Visit(Message&)>& visitor) {
  return walk(reinterpret_cast<Message*>(root), visitor);
}

void for_each_child(Message& message, const std::function<void(Message&)>& visitor) {
  Message* const opened = open_envelope(&message);
  if (!opened) return;
  each_slot(opened, [&](Message*& slot) {
    if (Message* const child = open_envelope(slot)) visitor(*child);
  });
}

bool rewrite_top_down(Node*& root, const std::function<Visit(Node*& slot)>& change) {
  std::vector<Message**> stack{reinterpret_cast<Message**>(&root)};
  while (!stack.empty()) {
    Message** const slot = stack.back();
    stack.pop_back();
    if (!*slot) continue;
    if (is_node_slot(*slot)) {
      const Visit visit = change(reinterpret_cast<Node*&>(*slot));
      if (visit == Visit::kStop) return false;
      if (visit == Visit::kSkip || !*slot) continue;
    }
    Message* const message = open_envelope(*slot);
    if (!message) continue;
    const std::size_t first = stack.size();
    each_slot(message, [&](Message*& child) { stack.push_back(&child); });
    std::reverse(stack.begin() + static_cast<std::ptrdiff_t>(first), stack.end());
  }
  return true;
}

void rewrite_bottom_up(Node*& root, const std::function<void(Node*& slot)>& change) {
  // Parents first, then backwards: every slot comes after all below it.
  std::vector<Message**> slots{reinterpret_cast<Message**>(&root)};
  for (std::size_t i = 0; i < slots.size(); ++i) {
    Message* const message = *slots[i] ? open_envelope(*slots[i]) : nullptr;
    if (message) each_slot(message, [&](Message*& child) { slots.push_back(&child); });
  }
  for (auto slot = slots.rbegin(); slot != slots.rend(); ++slot) {
    if (**slot && is_node_slot(**slot)) change(reinterpret_cast<Node*&>(**slot));
  }
}

Message* clone_message(Arena& arena, const Message* message) {
  if (!message) return nullptr;
  auto* root = const_cast<Message*>(message);
  std::vector<Message**> stack{&root};
  while (!stack.empty()) {
    Message** const slot = stack.back();
    stack.pop_back();
    *slot = shallow_copy(arena, *slot);
    each_slot(*slot, [&](Message*& child) { stack.push_back(&child); });
  }
  return root;
}

bool equal(const Message* first, const Message* second) {
  Pairs pairs{{first, second}};
  while (!pairs.empty()) {
    const auto [a, b] = pairs.back();
    pairs.pop_back();
    if (a == b) continue;
    if (!a || !b || a->descriptor != b->descriptor) return false;
    if (is_envelope(a)) {
      const bool same_case = reinterpret_cast<const Node*>(a)->node_case ==
                             reinterpret_cast<const Node*>(b)->node_case;
      if (!same_case) return false;
      if (!is_empty_envelope(a)) pairs.emplace_back(envelope_slot(a), envelope_slot(b));
      continue;
    }
    for (const Field& field : fields(a)) {
      if (!equal_field(field, a, b, pairs)) return false;
    }
  }
  return true;
}

std::size_t message_depth(const Message* root) {
  std::vector<std::pair<const Message*, std::size_t>> stack;
  if (root) stack.emplace_back(root, 1);
  std::size_t deepest = 0;
  while (!stack.empty()) {
    const auto [message, depth] = stack.back();
    stack.pop_back();
    deepest = std::max(deepest, depth);
    each_slot(message, [&, below = depth + 1](Message*& slot) { stack.emplace_back(slot, below); });
  }
  return deepest;
}

void change_locations(Message* root, const std::function<std::int32_t(std::int32_t)>& change) {
  walk(root, [&](Message& message) {
    for (const Field& field : fields(&message)) {
      if (field.type != PROTOBUF_C_TYPE_INT32 || std::string_view(field.name) != "location") {
        continue;
      }
      auto& location = member<std::int32_t>(&message, field.offset);
      if (location >= 0) location = change(location);
    }
    return Visit::kInto;
  });
}

}  // namespace coppice::sql
