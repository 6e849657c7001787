#include "exec/column_map.h"

#include "exec/syntax.h"

namespace coppice::exec {

using sql::as;
using sql::Message;
using sql::Node;
using sql::Visit;

sql::Node* ColumnMap::target_of(const PgQuery__ColumnRef& reference) const {
  const auto resolved = scope_.resolve(reference);
  if (!resolved || resolved->level != 0 || resolved->qualifier != alias_) return nullptr;
  const auto found = expressions_.find(resolved->column->name);
  return found == expressions_.end() ? nullptr : found->second;
}

bool ColumnMap::can_replace(const Node* expression) const {
  return sql::walk(const_cast<Node*>(expression), [&](Message& message) {
    if (as<PgQuery__SubLink>(message)) return Visit::kStop;
    const auto* const reference = as<PgQuery__ColumnRef>(message);
    if (!reference) return Visit::kInto;
    const auto resolved = scope_.resolve(*reference);
    if (!resolved || resolved->level != 0) return Visit::kStop;
    const bool here = resolved->qualifier != alias_ || target_of(*reference);
    return here ? Visit::kInto : Visit::kStop;
  });
}

bool ColumnMap::reads_only_this(const Node* expression) const {
  return sql::walk(const_cast<Node*>(expression), [&](Message& message) {
    const auto* const reference = as<PgQuery__ColumnRef>(message);
    return reference && !target_of(*reference) ? Visit::kStop : Visit::kInto;
  });
}

bool ColumnMap::reads(const Node* expression, const std::function<bool(const Node*)>& test) const {
  return !sql::walk(const_cast<Node*>(expression), [&](Message& message) {
    const auto* const reference = as<PgQuery__ColumnRef>(message);
    const Node* const target = reference ? target_of(*reference) : nullptr;
    return target && test(target) ? Visit::kStop : Visit::kInto;
  });
}

void ColumnMap::replace(Node*& expression, sql::Arena& arena) const {
  sql::rewrite_top_down(expression, [&](Node*& slot) {
    const auto* const reference = as<PgQuery__ColumnRef>(slot);
    if (!reference) return Visit::kInto;
    if (const Node* const target = target_of(*reference)) slot = sql::clone(arena, target);
    return Visit::kSkip;
  });
}

bool has_sub_link(const Node* expression) {
  return !sql::walk(const_cast<Node*>(expression), [](Message& message) {
    return as<PgQuery__SubLink>(message) ? Visit::kStop : Visit::kInto;
  });
}

}  // namespace coppice::exec
