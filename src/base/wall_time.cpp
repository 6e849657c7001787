#include "base/wall_time.h"

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/error.h"

namespace coppice {

std::optional<std::int64_t> test_wall_time_us() {
  if (!test_hooks_enabled()) return std::nullopt;
  const char* value = std::getenv("COPPICE_NOW");
  if (value == nullptr || *value == '\0') return std::nullopt;
  const std::string_view text = value;
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw Error(ErrorCode::kUsage, "COPPICE_NOW is no number of seconds since 1970");
  }
  return seconds * 1'000'000;
}

std::int64_t wall_time_us() {
  const std::optional<std::int64_t> of_test = test_wall_time_us();
  return of_test ? *of_test : SystemClock().now_us();
}

}  // namespace coppice
