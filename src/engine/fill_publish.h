// The end of a fill: its hidden columns take their place, or go.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/fill.h"
#include "engine/fill_claims.h"

namespace coppice::engine {

// The last transaction: names map to the new physical columns from this version on. With the right
// to publish; throws FillIsOver when it was lost.
std::int64_t publish_fill(EngineContext& context, catalog::Operation operation, FillKind kind,
                          const std::vector<ConstraintDraft>& constraints, FillClaims& claims,
                          const FillClaim& right);

// Removes the hidden columns, whatever state their fill was in; `note` is part of the transaction.
void remove_hidden(EngineContext& context, const catalog::TableInfo& before,
                   const catalog::Operation& operation, const std::function<void()>& note = {});

}  // namespace coppice::engine
