// Overload: which overload of an engine function a call means, and its arguments in order.
//
// Model    Named arguments (`fps => 1`) and defaults are resolved as PostgreSQL does. An overload
//          fits when every media parameter gets a value that can only be of its kind, or a
//          literal, and no other parameter gets media.
// Errors   match_call throws kType at the place of the argument that is wrong, and kUsage for
//          wrong counts and names, with the signatures printed as a hint.
#pragma once

#include <vector>

#include "exec/kinds.h"
#include "sql/source_text.h"

namespace coppice::exec {

struct MatchedCall {
  const Signature* signature = nullptr;
  // One a parameter; nullptr: the default is wanted.
  std::vector<sql::Node*> arguments;
};

MatchedCall match_call(const PgQuery__FuncCall& call, const Scope& scope,
                       const KindContext& context, const sql::SourceText& source);

// What a call that is not matched yet may give: the results of all overloads that fit.
PossibleKinds possible_results(const PgQuery__FuncCall& call, const Scope& scope,
                               const KindContext& context);

}  // namespace coppice::exec
