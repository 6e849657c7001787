#include "services/http_settings.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "config/secret.h"
#include "config/settings.h"

namespace coppice::services {
namespace {

using std::chrono::milliseconds;

constexpr int kUsualJsonInFlight = 16;

[[noreturn]] void refuse(const std::string& name, const std::string& value,
                         const std::string& wanted) {
  throw Error(ErrorCode::kUsage, fmt::format("SET {} = '{}': {}", name, value, wanted));
}

template <typename Number>
Number bounded(const std::string& name, const std::string& value, Number low, Number high) {
  Number number{};
  const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (failed != std::errc() || end != value.data() + value.size() || !(number >= low) ||
      !(number <= high)) {
    refuse(name, value, fmt::format("a number from {} to {} is wanted", low, high));
  }
  return number;
}

milliseconds duration(const std::string& name, const std::string& value) {
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> kUnits = {
      {{"ms", 1}, {"s", 1000}, {"sec", 1000}, {"min", 60'000}, {"h", 3'600'000}}};
  const std::size_t digits = std::min(value.find_first_not_of("0123456789"), value.size());
  const std::string unit(trim(value.substr(digits)));
  std::int64_t number = 0;
  std::from_chars(value.data(), value.data() + digits, number);
  for (const auto& [known, factor_ms] : kUnits) {
    if (known == unit && number > 0 && number <= 86'400'000 / factor_ms) {
      return milliseconds(number * factor_ms);
    }
  }
  refuse(name, value, "a time with its unit is wanted, one day at most: '30s', '2min'");
}

std::string json_object(const std::string& name, const std::string& value) {
  const nlohmann::json parsed = nlohmann::json::parse(value, nullptr, false);
  if (!parsed.is_object()) refuse(name, value, "a JSON object is wanted");
  return value;
}

std::string base_address(const std::string& name, const std::string& value) {
  std::string url = value;
  while (url.ends_with('/')) url.pop_back();
  const std::size_t host = url.find("://");
  const bool http =
      starts_with_ignoring_case(url, "https://") || starts_with_ignoring_case(url, "http://");
  // A password in it is not repeated.
  if (!http || url.find_first_of(" \t\r\n?#@", host) != std::string::npos) {
    refuse(name, mask_password(value),
           "an http or https URL is wanted, without user, password, query and fragment");
  }
  return url;
}

std::string reference(const std::string& name, const std::string& value) {
  if (const auto refusal = secret_reference_refusal(value)) {
    throw Error(ErrorCode::kUsage, fmt::format("SET {}: {}", name, *refusal),
                "for example SET key = 'env:OPENAI_API_KEY'");
  }
  return value;
}

std::vector<std::pair<std::string, std::string>> header_references(const std::string& name,
                                                                   const std::string& value) {
  std::vector<std::pair<std::string, std::string>> headers;
  const nlohmann::json parsed = nlohmann::json::parse(value, nullptr, false);
  if (!parsed.is_object()) {
    throw Error(ErrorCode::kUsage, fmt::format("SET {}: a JSON object is wanted", name),
                R"(for example {"X-Api-Key": "env:NAME", "X-Mode": "text:fast"})");
  }
  for (const auto& [header, text] : parsed.items()) {
    const bool well_named =
        !header.empty() && std::all_of(header.begin(), header.end(), [](unsigned char c) {
          return c < 128 && (std::isalnum(c) != 0 || c == '-' || c == '_');
        });
    if (!well_named || !text.is_string()) {
      throw Error(ErrorCode::kUsage, fmt::format("SET {}: names and texts are wanted", name));
    }
    const auto content = text.get<std::string>();
    const bool literal = content.starts_with("text:");
    if (literal && content.find_first_of("\r\n") != std::string::npos) {
      throw Error(ErrorCode::kUsage, fmt::format("SET {}: {} has a line break", name, header));
    }
    if (!literal) reference(fmt::format("{} ({})", name, header), content);
    headers.emplace_back(header, content);
  }
  return headers;
}

std::string known_method(const std::string& name, const std::string& value) {
  for (const char* const method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
    if (value == method) return value;
  }
  refuse(name, value, "GET, POST, PUT, PATCH or DELETE is wanted");
}

std::string result_pointer(const std::string& name, const std::string& value) {
  if (value.empty() || value.starts_with('/')) return value;
  refuse(name, value, "a JSON pointer is wanted: '/choices/0/text'");
}

enum Of { kAll, kChat, kEmbeddings, kModels, kJson };

bool belongs(Of of, const ServiceSource& source) {
  switch (of) {
    case kAll:
      return true;
    case kChat:
      return source.is_chat();
    case kEmbeddings:
      return source.kind == ServiceKind::kOpenAiEmbeddings;
    case kModels:
      return !source.is_json();
    case kJson:
      return source.is_json();
  }
  return false;
}

struct Reader {
  std::string name;
  Of of;
  std::function<void(const std::string& name, const std::string& value, HttpSettings& to)> read;
};

const std::vector<Reader>& readers() {
  constexpr double kMostRate = 1e12;
  static const auto* const all = new std::vector<Reader>{
      {"base_url", kAll, [](auto& n, auto& v, auto& to) { to.base_url = base_address(n, v); }},
      {"key", kAll, [](auto& n, auto& v, auto& to) { to.key = reference(n, v); }},
      {"system", kChat, [](auto&, auto& v, auto& to) { to.system = v; }},
      {"prompt", kChat,
       [](auto&, auto& v, auto& to) {
         to.prompt = v;
         to.has_prompt = true;
       }},
      {"temperature", kChat,
       [](auto& n, auto& v, auto& to) { to.temperature = bounded(n, v, 0.0, 2.0); }},
      {"max_tokens", kChat,
       [](auto& n, auto& v, auto& to) {
         to.max_tokens = bounded<std::int64_t>(n, v, 1, 10'000'000);
       }},
      {"schema", kChat, [](auto& n, auto& v, auto& to) { to.schema = json_object(n, v); }},
      {"dimensions", kEmbeddings,
       [](auto& n, auto& v, auto& to) { to.dimensions = bounded<std::int64_t>(n, v, 1, 65'536); }},
      {"batch", kEmbeddings,
       [](auto& n, auto& v, auto& to) { to.batch = bounded<std::size_t>(n, v, 1, 2048); }},
      {"parameters", kModels,
       [](auto& n, auto& v, auto& to) { to.parameters = json_object(n, v); }},
      {"body", kJson,
       [](auto&, auto& v, auto& to) {
         to.body = v;
         to.has_body = true;
       }},
      {"result", kJson, [](auto& n, auto& v, auto& to) { to.result = result_pointer(n, v); }},
      {"method", kJson, [](auto& n, auto& v, auto& to) { to.method = known_method(n, v); }},
      {"headers", kJson, [](auto& n, auto& v, auto& to) { to.headers = header_references(n, v); }},
      {"timeout", kAll, [](auto& n, auto& v, auto& to) { to.timeout = duration(n, v); }},
      {"deadline", kAll, [](auto& n, auto& v, auto& to) { to.deadline = duration(n, v); }},
      {"attempts", kAll,
       [](auto& n, auto& v, auto& to) { to.attempt_count = bounded(n, v, 1, 20); }},
      {"in_flight", kAll,
       [](auto& n, auto& v, auto& to) { to.limits.in_flight = bounded(n, v, 1, 1024); }},
      {"requests_per_minute", kAll,
       [](auto& n, auto& v, auto& to) {
         to.limits.requests_per_minute = bounded(n, v, 0.001, kMostRate);
       }},
      {"tokens_per_minute", kAll,
       [](auto& n, auto& v, auto& to) {
         to.limits.tokens_per_minute = bounded(n, v, 1.0, kMostRate);
       }},
      {"call_price", kAll,
       [](auto& n, auto& v, auto& to) { to.prices.call = amount_setting(n, v); }},
      {"input_price", kModels,
       [](auto& n, auto& v, auto& to) { to.prices.input = amount_setting(n, v); }},
      {"output_price", kChat,
       [](auto& n, auto& v, auto& to) { to.prices.output = amount_setting(n, v); }},
      {"budget", kAll, [](auto& n, auto& v, auto& to) { to.budget = amount_setting(n, v); }},
  };
  return *all;
}

const Reader& reader_named(const std::string& name, const ServiceSource& source) {
  std::vector<std::string> names;
  bool elsewhere = false;
  for (const Reader& reader : readers()) {
    if (belongs(reader.of, source)) {
      if (reader.name == name) return reader;
      names.push_back(reader.name);
    }
    elsewhere |= reader.name == name;
  }
  const std::string meant = did_you_mean(name, names);
  throw Error(ErrorCode::kUsage,
              elsewhere ? fmt::format("SET {} has no meaning for this service", name)
                        : fmt::format("there is no setting \"{}\" of such a function", name),
              meant.empty() || elsewhere ? "there are: " + join(names, ", ") : meant);
}

// A key in plain text can be read by whoever is on the way.
bool is_private_way(const std::string& url) {
  if (starts_with_ignoring_case(url, "https://")) return true;
  const std::string rest = lower(url.substr(std::min(url.find("://") + 3, url.size())));
  const std::string host = rest.substr(0, rest.find_first_of("/?#"));
  const std::string name = host.substr(0, host.rfind(':'));
  const bool numbers = name.find_first_not_of("0123456789.") == std::string::npos;
  return (name.starts_with("127.") && numbers) || host.starts_with("[::1]") ||
         host == "localhost" || name == "localhost";
}

void check_way(const HttpSettings& settings, const std::string& address) {
  const bool secret_header =
      std::any_of(settings.headers.begin(), settings.headers.end(),
                  [](const auto& header) { return !header.second.starts_with("text:"); });
  if ((settings.key.empty() && !secret_header) || is_private_way(address)) return;
  throw Error(ErrorCode::kUsage,
              fmt::format("a key would be sent to {} in plain text", mask_password(address)),
              "use https://, or leave the key out");
}

void take_defaults(HttpSettings& settings, const ServiceDefaults& defaults) {
  if (settings.base_url.empty()) {
    settings.base_url = defaults.base_url;
    while (settings.base_url.ends_with('/')) settings.base_url.pop_back();
    // The configured key goes to the configured address and to no other.
    if (settings.key.empty()) settings.key = defaults.key;
  }
  RateLimits& limits = settings.limits;
  if (limits.requests_per_minute == 0) {
    limits.requests_per_minute = defaults.limits.requests_per_minute;
  }
  if (limits.tokens_per_minute == 0) limits.tokens_per_minute = defaults.limits.tokens_per_minute;
  if (limits.in_flight == 0) limits.in_flight = defaults.limits.in_flight;
}

}  // namespace

ServiceDefaults service_defaults(const Config& config, ServiceKind kind) {
  ServiceDefaults defaults;
  if (kind == ServiceKind::kJson) {
    defaults.limits.in_flight = kUsualJsonInFlight;
    return defaults;
  }
  const std::string section = fmt::format("services.{}.", service_name(kind));
  const SettingValue& key = config.value(section + "key");
  const bool usual_address = config.value(section + "base_url").source == SettingSource::kDefault;
  defaults.base_url = config.text(section + "base_url");
  // The usual variable holds a key of the usual address.
  if (usual_address || key.source != SettingSource::kDefault) defaults.key = key.text;
  defaults.limits.requests_per_minute =
      static_cast<double>(config.integer(section + "requests_per_minute"));
  defaults.limits.tokens_per_minute =
      static_cast<double>(config.integer(section + "tokens_per_minute"));
  defaults.limits.in_flight = static_cast<int>(config.integer(section + "in_flight"));
  return defaults;
}

HttpSettings read_http_settings(const SettingTexts& texts, const ServiceSource& source,
                                const ServiceDefaults& defaults) {
  HttpSettings settings;
  for (const auto& [name, value] : texts) {
    reader_named(name, source).read(name, value, settings);
  }
  const bool whole_url = source.is_json() && !source.address.starts_with('/');
  if (whole_url && !settings.base_url.empty()) {
    throw Error(ErrorCode::kUsage, "SET base_url has no meaning: AS names a whole URL",
                "write json:/path, or leave base_url out");
  }
  check_budget_has_price(settings.budget, settings.prices);
  take_defaults(settings, defaults);
  if (settings.base_url.empty() && !whole_url) {
    throw Error(ErrorCode::kUsage, fmt::format("json:{} needs an address", source.address),
                "SET base_url = 'https://host'");
  }
  check_way(settings, whole_url ? source.address : settings.base_url);
  return settings;
}

}  // namespace coppice::services
