#include "services/rate_headers.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "net/retry_after.h"

namespace coppice::services {
namespace {

using std::chrono::milliseconds;

// A service that says more is not believed: a clock or a header is wrong.
constexpr milliseconds kMostPause{3'600'000};

struct Names {
  std::string limit, remaining, reset;
};

Names openai_names(const char* what) {
  return {fmt::format("x-ratelimit-limit-{}", what), fmt::format("x-ratelimit-remaining-{}", what),
          fmt::format("x-ratelimit-reset-{}", what)};
}

Names anthropic_names(const char* what) {
  return {fmt::format("anthropic-ratelimit-{}-limit", what),
          fmt::format("anthropic-ratelimit-{}-remaining", what),
          fmt::format("anthropic-ratelimit-{}-reset", what)};
}

std::optional<double> number(const std::string& text) {
  double value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = failed == std::errc() && end == text.data() + text.size();
  return whole && value >= 0 && value < 1e12 ? std::optional(value) : std::nullopt;
}

std::optional<milliseconds> until_reset(const std::string& text, std::int64_t now_us) {
  if (const auto duration = parse_go_duration(text)) return duration;
  if (text.find('T') == std::string::npos) return std::nullopt;
  const auto at_us = parse_time_us(text);
  if (!at_us) return std::nullopt;
  return milliseconds(std::max<std::int64_t>(0, (*at_us - now_us + 999) / 1000));
}

void learn(const HttpResponse& response, const Names& names, std::int64_t now_us,
           std::optional<double>& per_minute, std::optional<milliseconds>& pause) {
  const auto limit = number(response.header(names.limit));
  // 0 would stop everything for good; a service that means it answers with an error.
  if (limit && *limit > 0) per_minute = std::min(per_minute.value_or(*limit), *limit);
  const auto remaining = number(response.header(names.remaining));
  if (!remaining || *remaining >= 1) return;
  if (const auto wait = until_reset(response.header(names.reset), now_us)) {
    pause = std::min(std::max(pause.value_or(*wait), *wait), kMostPause);
  }
}

}  // namespace

LearnedLimits learned_limits(const HttpResponse& response, std::int64_t now_us) {
  LearnedLimits learned;
  const auto requests = [&](const Names& names) {
    learn(response, names, now_us, learned.requests_per_minute, learned.pause);
  };
  const auto tokens = [&](const Names& names) {
    learn(response, names, now_us, learned.tokens_per_minute, learned.pause);
  };
  if (response.headers.lower_bound("anthropic-ratelimit-") !=
      response.headers.lower_bound("anthropic-ratelimit.")) {
    requests(anthropic_names("requests"));
    tokens(anthropic_names("tokens"));
    tokens(anthropic_names("input-tokens"));
  }
  if (response.headers.lower_bound("x-ratelimit-") !=
      response.headers.lower_bound("x-ratelimit.")) {
    requests(openai_names("requests"));
    tokens(openai_names("tokens"));
  }
  return learned;
}

std::optional<milliseconds> parse_go_duration(std::string_view text) {
  constexpr std::pair<std::string_view, double> kUnits[] = {
      {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  double total_ms = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    double value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || !(value >= 0)) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const auto* const unit =
        std::find_if(std::begin(kUnits), std::end(kUnits),
                     [&](const auto& known) { return text.starts_with(known.first); });
    if (unit == std::end(kUnits)) return std::nullopt;
    text.remove_prefix(unit->first.size());
    total_ms += value * unit->second;
    if (total_ms > 1e11) return std::nullopt;
  }
  return milliseconds(static_cast<std::int64_t>(total_ms + 0.999));
}

}  // namespace coppice::services
