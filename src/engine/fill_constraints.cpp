#include "engine/fill_constraints.h"

#include <nlohmann/json.hpp>

namespace coppice::engine {

using nlohmann::json;

json constraints_json(const std::vector<ConstraintDraft>& constraints) {
  json list = json::array();
  for (const ConstraintDraft& constraint : constraints) {
    json one = {{"kind", static_cast<int>(constraint.kind)},
                {"name", constraint.name},
                {"columns", constraint.columns},
                {"nulls_distinct", constraint.nulls_distinct}};
    if (constraint.expression) one["expression"] = *constraint.expression;
    list.push_back(std::move(one));
  }
  return list;
}

std::vector<ConstraintDraft> constraints_of(const json& detail) {
  std::vector<ConstraintDraft> constraints;
  for (const json& one : detail.value("constraints", json::array())) {
    ConstraintDraft constraint;
    constraint.kind = static_cast<catalog::ConstraintKind>(one.at("kind").get<int>());
    constraint.name = one.at("name");
    constraint.columns = one.at("columns").get<std::vector<std::string>>();
    constraint.nulls_distinct = one.at("nulls_distinct");
    if (one.contains("expression")) constraint.expression = one.at("expression");
    constraints.push_back(std::move(constraint));
  }
  return constraints;
}

}  // namespace coppice::engine
