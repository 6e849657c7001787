#include "functions/plan.h"

#include <map>
#include <utility>

namespace coppice::functions {
namespace {

class Planner {
 public:
  int add(const Fragment& fragment) {
    Step step;
    step.argument = fragment.argument;
    if (!fragment.is_argument()) {
      step.function = fragment.function;
      for (const Fragment& child : fragment.children) step.children.push_back(add(child));
    }
    const std::string name =
        fragment.is_argument() ? "$" + std::to_string(fragment.argument) : fragment.function;
    const auto [known, fresh] =
        known_.try_emplace({name, step.children}, static_cast<int>(plan_.steps.size()));
    if (fresh) {
      for (const int child : step.children) ++plan_.steps[child].uses;
      plan_.steps.push_back(std::move(step));
    }
    return known->second;
  }

  Plan take() { return std::move(plan_); }

 private:
  Plan plan_;
  std::map<std::pair<std::string, std::vector<int>>, int> known_;
};

}  // namespace

Plan make_plan(const std::vector<Fragment>& fragments) {
  Planner planner;
  std::vector<int> results;
  results.reserve(fragments.size());
  for (const Fragment& fragment : fragments) results.push_back(planner.add(fragment));
  Plan plan = planner.take();
  for (const int step : results) ++plan.steps[step].uses;
  plan.results = std::move(results);
  return plan;
}

}  // namespace coppice::functions
