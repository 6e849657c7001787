// What SET says on a function of any language about money.
#pragma once

#include <optional>

#include "config/config.h"
#include "engine/user_function.h"
#include "workers/spending.h"

namespace coppice::engine {

struct FunctionCosts {
  Prices prices;
  std::optional<Money> budget;
};

FunctionCosts function_costs(const UserFunction& function);

// How fast its calls can be made.
struct CallPace {
  double side_by_side = 1;  // at the same time
  double per_minute = 0;    // requests; 0: as many as there are
};
CallPace call_pace(const Config& config, const UserFunction& function);

}  // namespace coppice::engine
