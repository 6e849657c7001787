// HttpSettings: what SET says on a function of LANGUAGE http, with config.toml's defaults.
//
// Units    Times are milliseconds; limits are per minute.
// Errors   kUsage with the nearest setting, or with what the value should look like. No message
//          repeats what may be a key.
// Source   docs/formats/http_functions.md
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/config.h"
#include "services/http_source.h"
#include "services/shared_limits.h"
#include "workers/spending.h"

namespace coppice::services {

using SettingTexts = std::map<std::string, std::string>;

// What config.toml says of one service.
struct ServiceDefaults {
  std::string base_url;  // empty: there is none (json:)
  std::string key;       // a reference, or empty
  RateLimits limits;
};
ServiceDefaults service_defaults(const Config& config, ServiceKind kind);

struct HttpSettings {
  std::string base_url;  // without a slash at its end; empty for json: with a whole URL
  std::string key;       // a reference; empty: none is sent
  std::string system, prompt;
  bool has_prompt = false;
  std::optional<double> temperature;
  std::optional<std::int64_t> max_tokens;
  std::string schema;      // JSON text of an object, or empty
  std::string parameters;  // ditto
  std::optional<std::int64_t> dimensions;
  std::size_t batch = 64;
  std::string body, result;
  bool has_body = false;
  std::string method = "POST";
  std::vector<std::pair<std::string, std::string>> headers;  // name, reference or text:…
  std::chrono::milliseconds timeout{120'000};
  std::chrono::milliseconds deadline{900'000};
  int attempt_count = 5;
  RateLimits limits;
  Prices prices;
  std::optional<Money> budget;
};

HttpSettings read_http_settings(const SettingTexts& texts, const ServiceSource& source,
                                const ServiceDefaults& defaults);

}  // namespace coppice::services
