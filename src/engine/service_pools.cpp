#include "engine/service_pools.h"

#include <algorithm>
#include <array>

#include "base/sha256.h"
#include "services/http_function_pool.h"

namespace coppice::engine {
namespace {

constexpr std::array<std::string_view, 13> kOfTheWay = {"key",
                                                        "headers",
                                                        "timeout",
                                                        "deadline",
                                                        "attempts",
                                                        "batch",
                                                        "in_flight",
                                                        "requests_per_minute",
                                                        "tokens_per_minute",
                                                        "call_price",
                                                        "input_price",
                                                        "output_price",
                                                        "budget"};

services::HttpFunction http_function(const Config& config, const UserFunction& function) {
  const services::ServiceSource source = services::parse_source(function.source);
  return {function.signature, function.source, function.settings,
          services::service_defaults(config, source.kind)};
}

}  // namespace

ServicePools::ServicePools(const Config& config, const MediaStore& media,
                           std::function<pg::Connection()> open)
    : config_(config),
      media_(media),
      secrets_(process_environment()),
      limits_(std::move(open)),
      breakers_({}, clock_) {}

std::unique_ptr<FunctionPool> ServicePools::make(const UserFunction& function,
                                                 SpendingMeter& meter) {
  return std::make_unique<services::HttpFunctionPool>(
      http_function(config_, function),
      services::ServiceContext{media_, secrets_, limits_, breakers_, meter, clock_});
}

void check_service_function(const Config& config, const UserFunction& function) {
  services::check_http_function(http_function(config, function));
}

std::string service_digest(const std::string& source, const SettingTexts& settings) {
  // With lengths in front nothing can be moved from one text into the next.
  Sha256 digest;
  const auto add = [&](std::string_view text) {
    digest.update(std::to_string(text.size()) + ":");
    digest.update(text);
  };
  add(source);
  for (const auto& [name, value] : settings) {
    if (std::find(kOfTheWay.begin(), kOfTheWay.end(), name) != kOfTheWay.end()) continue;
    add(name);
    add(value);
  }
  return to_hex(digest.finish());
}

}  // namespace coppice::engine
