// Kinds: of which media kind the value of an expression is.
//
// Model    To PostgreSQL an image and a video are both text. Coppice infers the kind from where
//          the value comes from: columns, casts, results of engine functions, and through
//          coalesce, CASE, greatest, least, nullif, max, min, first_value and the like, scalar
//          subqueries, CTEs and subselects. String literals and NULL have no kind of their own and
//          fit any.
// Threads  As the tree.
#pragma once

#include <optional>
#include <vector>

#include "exec/functions.h"
#include "exec/scope.h"

namespace coppice::exec {

// Every kind that a value may have.
struct PossibleKinds {
  unsigned media = 0;    // bit set over MediaKind
  bool other = false;    // not media, or not known
  bool literal = false;  // a string literal, a parameter or NULL

  static PossibleKinds of(std::optional<MediaKind> kind);
  static PossibleKinds of_literal() { return {0, false, true}; }
  bool has(MediaKind kind) const { return (media & (1U << static_cast<unsigned>(kind))) != 0; }
  bool is_literal() const { return media == 0 && !other && literal; }
  // The kind, when it can only be this one.
  std::optional<MediaKind> only() const;
  std::vector<MediaKind> list() const;
  void merge(const PossibleKinds& another);
};

struct KindContext {
  const FunctionTable& functions;
  RelationKinds& relations;
};

PossibleKinds possible_kinds(const sql::Node* expression, const Scope& scope,
                             const KindContext& context);
std::optional<MediaKind> infer_kind(const sql::Node* expression, const Scope& scope,
                                    const KindContext& context);

// `image`, coppice.image; nullopt for any other type, arrays too.
std::optional<MediaKind> media_kind_of_type_name(const PgQuery__TypeName& type);

// The scope in which the select list and WHERE of `select` are read: its CTEs and FROM items.
Scope scope_of(const PgQuery__SelectStmt& select, const Scope* outer, const KindContext& context);
// The result columns of a query; nullopt when they are not known.
std::optional<ColumnKinds> columns_of(const PgQuery__SelectStmt& select, const Scope* outer,
                                      const KindContext& context);

// Whether this is a call of an engine function: not bound yet (by name; where the server has a
// function of that name too, the first argument must be media), or bound (by stub name).
bool is_engine_call(const PgQuery__FuncCall& call, const Scope& scope, const KindContext& context);
// The overload that a bound call stands for; nullptr when it is not a bound call.
const Signature* bound_signature(const PgQuery__FuncCall& call, const FunctionTable& functions);
// Whether a bound call is anywhere in the tree.
bool has_bound_call(const sql::Node* node, const FunctionTable& functions);
bool has_bound_call(const PgQuery__SelectStmt& select, const FunctionTable& functions);
// Whether its name is that of an engine function, in the schema that it names or without one.
bool has_engine_name(const PgQuery__FuncCall& call, const FunctionTable& functions);

}  // namespace coppice::exec
