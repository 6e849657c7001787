#include "net/retry_after.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>

namespace coppice {
namespace {

using std::chrono::milliseconds;

// Longer than anybody waits, and far from any overflow.
constexpr double kMostMs = 1e11;

std::optional<milliseconds> as_duration(const std::string& text, double unit_ms) {
  double number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end != text.data() + text.size() || !(number >= 0)) {
    return std::nullopt;
  }
  return milliseconds(static_cast<std::int64_t>(std::min(number * unit_ms, kMostMs) + 0.999));
}

}  // namespace

std::optional<std::int64_t> parse_time_us(const std::string& text) {
  std::tm parts{};
  int end = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &parts.tm_year, &parts.tm_mon,
                  &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &end) == 6) {
    const std::size_t zone = text.find_first_not_of(".0123456789", static_cast<std::size_t>(end));
    if (zone == std::string::npos) return std::nullopt;
    const std::string offset = text.substr(zone);
    if (offset != "Z" && offset != "z" && offset != "+00:00") return std::nullopt;
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    return std::int64_t{::timegm(&parts)} * 1'000'000;
  }
  const std::time_t seconds = curl_getdate(text.c_str(), nullptr);
  if (seconds < 0) return std::nullopt;
  return std::int64_t{seconds} * 1'000'000;
}

std::optional<milliseconds> retry_after(const HttpResponse& response, std::int64_t now_us) {
  if (const auto exact = as_duration(response.header("retry-after-ms"), 1)) return exact;
  const std::string text = response.header("retry-after");
  if (text.empty()) return std::nullopt;
  if (const auto seconds = as_duration(text, 1000)) return seconds;
  // A bare number is a day or a year to curl's parser; a date has letters.
  if (text.find_first_of("abcdefghijklmnopqrstuvwxyz") == std::string::npos) return std::nullopt;
  const auto at_us = parse_time_us(text);
  if (!at_us) return std::nullopt;
  return milliseconds(std::max<std::int64_t>(0, (*at_us - now_us + 999) / 1000));
}

}  // namespace coppice
