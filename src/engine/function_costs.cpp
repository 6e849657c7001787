#include "engine/function_costs.h"

#include <algorithm>
#include <thread>

#include "services/http_settings.h"

namespace coppice::engine {

FunctionCosts function_costs(const UserFunction& function) {
  FunctionCosts costs;
  const auto amount = [&](const std::string& name) -> std::optional<Money> {
    const auto found = function.settings.find(name);
    if (found == function.settings.end()) return std::nullopt;
    return amount_setting(name, found->second);
  };
  costs.prices.call = amount("call_price").value_or(Money());
  costs.prices.input = amount("input_price").value_or(Money());
  costs.prices.output = amount("output_price").value_or(Money());
  costs.budget = amount("budget");
  return costs;
}

CallPace call_pace(const Config& config, const UserFunction& function) {
  CallPace pace;
  if (function.signature.language == FunctionLanguage::kHttp) {
    const services::ServiceSource source = services::parse_source(function.source);
    const services::RateLimits limits =
        services::read_http_settings(function.settings, source,
                                     services::service_defaults(config, source.kind))
            .limits;
    pace.side_by_side = std::max(1, limits.in_flight);
    pace.per_minute = limits.requests_per_minute;
    return pace;
  }
  const FunctionSettings settings =
      read_function_settings(function.settings, function.signature.language);
  const std::int64_t count =
      settings.workers > 0 ? settings.workers : config.integer("workers.count");
  pace.side_by_side = static_cast<double>(
      count > 0 ? count : std::max<std::int64_t>(1, std::thread::hardware_concurrency()));
  return pace;
}

}  // namespace coppice::engine
