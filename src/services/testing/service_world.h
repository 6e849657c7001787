// ServiceWorld: what a pool of model services needs, for tests.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "services/http_function_pool.h"
#include "services/local_limits.h"

namespace coppice::services {

// A picture of 1 × 1, the smallest file that is one.
std::string tiny_png();

struct ServiceWorld {
  static constexpr const char* kKey = "sk-canary-51e0b7";

  SystemClock clock;
  ScratchFolder folder{std::filesystem::temp_directory_path(), "services"};
  MediaStore media{folder.path() / "media"};
  Secrets secrets{{{"CANARY", kKey}}};
  LocalLimits limits{clock};
  CircuitBreakers breakers{BreakerOptions{}, clock};
  CountingMeter usage;

  ServiceContext context() { return {media, secrets, limits, breakers, usage, clock}; }

  // "name(text,image) -> text": names of the parameters are a, b, …
  static HttpFunction function(const std::string& source, std::vector<ValueType> parameters,
                               ValueType result, SettingTexts settings = {});
  std::unique_ptr<HttpFunctionPool> pool(HttpFunction function,
                                         RetryPace pace = {std::chrono::milliseconds(5),
                                                           std::chrono::milliseconds(20)});
};

// One call a row of a function with one text parameter.
std::vector<Cell> call_each(HttpFunctionPool& pool, const std::string& id,
                            const std::vector<Value>& arguments, std::stop_token stop = {});

Value text_value(std::string text);
std::string text_of(const Cell& cell);     // "" and a test failure when it failed
CellFailure failure_of(const Cell& cell);  // and a test failure when it did not

// The message of the Error that the check throws, with its hint; "" when it throws none.
std::string refusal_of(const HttpFunction& function);

}  // namespace coppice::services
