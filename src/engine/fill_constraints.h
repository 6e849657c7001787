// The constraints of a column that is being filled, in what a resume needs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "engine/table_draft.h"

namespace coppice::engine {

nlohmann::json constraints_json(const std::vector<ConstraintDraft>& constraints);
std::vector<ConstraintDraft> constraints_of(const nlohmann::json& detail);

}  // namespace coppice::engine
