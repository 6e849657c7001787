#include "base/duration.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "base/text.h"

namespace coppice {

std::optional<std::int64_t> duration_us(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::int64_t seconds;
  };
  constexpr std::int64_t kDay = 86'400;
  constexpr std::int64_t kYear = 365 * kDay;
  constexpr std::int64_t kMostSeconds = 10'000 * kYear;
  constexpr Unit kUnits[] = {{"second", 1},  {"minute", 60},     {"hour", 3'600},
                             {"day", kDay},  {"week", 7 * kDay}, {"month", 30 * kDay},
                             {"year", kYear}};
  const std::string_view words = trim(text);
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(words.data(), words.data() + words.size(), count);
  if (error != std::errc()) return std::nullopt;
  std::string name = lower(trim(words.substr(static_cast<std::size_t>(end - words.data()))));
  if (name.ends_with('s')) name.pop_back();
  const auto* const unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                        [&](const Unit& known) { return known.name == name; });
  if (unit == std::end(kUnits) || count < 1 || count > kMostSeconds / unit->seconds) {
    return std::nullopt;
  }
  return count * unit->seconds * 1'000'000;
}

}  // namespace coppice
