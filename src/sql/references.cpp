#include "sql/references.h"

#include <algorithm>
#include <deque>
#include <span>
#include <string_view>

namespace coppice::sql {
namespace {

// The names of WITH queries that can be seen from a place: a list that inner places extend.
struct Scope {
  const Scope* outer;
  std::string_view name;
};

bool is_with_query(const Scope* scope, const PgQuery__RangeVar& relation) {
  if (*relation.schemaname || *relation.catalogname) return false;
  for (; scope; scope = scope->outer) {
    if (scope->name == relation.relname) return true;
  }
  return false;
}

PgQuery__WithClause* with_clause_of(Message& message) {
  if (auto* select = as<PgQuery__SelectStmt>(message)) return select->with_clause;
  if (auto* insert = as<PgQuery__InsertStmt>(message)) return insert->with_clause;
  if (auto* update = as<PgQuery__UpdateStmt>(message)) return update->with_clause;
  if (auto* remove = as<PgQuery__DeleteStmt>(message)) return remove->with_clause;
  if (auto* merge = as<PgQuery__MergeStmt>(message)) return merge->with_clause;
  return nullptr;
}

// Relations outside of FROM are what their statement writes or defines.
bool holds_sources(const Message& parent) {
  const ProtobufCMessageDescriptor* const type = parent.descriptor;
  return type == MessageType<PgQuery__SelectStmt>::kDescriptor ||
         type == MessageType<PgQuery__JoinExpr>::kDescriptor ||
         type == MessageType<PgQuery__RangeTableSample>::kDescriptor;
}

class RelationCollector {
 public:
  std::vector<RelationUse> collect(Node* root) {
    push(message_of(root), nullptr, nullptr);
    while (!stack_.empty()) {
      const Place place = stack_.back();
      stack_.pop_back();
      visit(place);
    }
    return std::move(uses_);
  }

 private:
  struct Place {
    Message* message;
    const Message* parent;
    const Scope* scope;
  };

  void push(Message* message, const Message* parent, const Scope* scope) {
    if (message) stack_.push_back({message, parent, scope});
  }

  void visit(const Place& place) {
    Message& message = *place.message;
    if (auto* relation = as<PgQuery__RangeVar>(message)) {
      add(*relation, place);
      return;
    }
    // FOR UPDATE OF names aliases; a constraint's RangeVar is the table it REFERENCES.
    if (as<PgQuery__LockingClause>(message)) return;
    const std::size_t first = stack_.size();
    PgQuery__WithClause* const with = with_clause_of(message);
    const Scope* const scope = with ? push_with(*with, place.scope) : place.scope;
    for_each_child(message, [&](Message& child) {
      if (&child != message_of(with)) push(&child, &message, scope);
    });
    std::reverse(stack_.begin() + static_cast<std::ptrdiff_t>(first), stack_.end());
  }

  void add(PgQuery__RangeVar& relation, const Place& place) {
    const bool is_source = !place.parent || is_source_of(*place.parent, relation);
    if (is_source && is_with_query(place.scope, relation)) return;
    uses_.push_back({&relation, !is_source});
  }

  static bool is_source_of(const Message& parent, const PgQuery__RangeVar& relation) {
    auto& message = const_cast<Message&>(parent);
    if (holds_sources(parent)) return true;
    if (const auto* update = as<PgQuery__UpdateStmt>(message)) {
      return update->relation != &relation;  // FROM
    }
    if (const auto* remove = as<PgQuery__DeleteStmt>(message)) {
      return remove->relation != &relation;  // USING
    }
    if (const auto* merge = as<PgQuery__MergeStmt>(message)) return merge->relation != &relation;
    if (const auto* copy = as<PgQuery__CopyStmt>(message)) return !copy->is_from;
    const bool reads = as<PgQuery__TableLikeClause>(message) || as<PgQuery__Constraint>(message);
    return reads;
  }

  // Queues the queries of WITH and gives the scope of the statement below it.
  const Scope* push_with(PgQuery__WithClause& with, const Scope* outer) {
    const Scope* scope = outer;
    const auto queries = nodes(with.n_ctes, with.ctes);
    if (with.recursive) {
      for (Node* const query : queries) scope = extend(scope, query);
      for (Node* const query : queries) push(message_of(query), message_of(&with), scope);
      return scope;
    }
    for (Node* const query : queries) {
      push(message_of(query), message_of(&with), scope);
      scope = extend(scope, query);
    }
    return scope;
  }

  const Scope* extend(const Scope* outer, const Node* query) {
    const auto* expression = as<PgQuery__CommonTableExpr>(query);
    if (!expression) return outer;
    return &scopes_.emplace_back(Scope{outer, expression->ctename});
  }

  std::vector<Place> stack_;
  std::deque<Scope> scopes_;
  std::vector<RelationUse> uses_;
};

template <class T>
std::vector<T*> collect(Node* root) {
  std::vector<T*> found;
  walk(root, [&](Message& message) {
    if (auto* wanted = as<T>(message)) found.push_back(wanted);
    return Visit::kInto;
  });
  return found;
}

}  // namespace

std::vector<RelationUse> collect_relations(Node* root) { return RelationCollector().collect(root); }

std::vector<PgQuery__FuncCall*> collect_function_calls(Node* root) {
  return collect<PgQuery__FuncCall>(root);
}

std::vector<PgQuery__ColumnRef*> collect_column_refs(Node* root) {
  return collect<PgQuery__ColumnRef>(root);
}

}  // namespace coppice::sql
