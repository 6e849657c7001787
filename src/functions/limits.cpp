#include "functions/limits.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <thread>

#include "base/error.h"
#include "functions/failure.h"

namespace coppice::functions {

Limits Limits::from_environment() {
  constexpr unsigned kMostThreads = 4;  // each takes address space, of which a worker has 2 GiB
  Limits limits;
  limits.threads =
      static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, kMostThreads));
  if (const char* text = std::getenv("COPPICE_MAX_PIXELS"); text != nullptr && *text != '\0') {
    const std::string_view digits = text;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), limits.max_pixels);
    if (error != std::errc() || end != digits.data() + digits.size() || limits.max_pixels < 1) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("COPPICE_MAX_PIXELS is \"{}\", not a number of pixels", text),
                  "give a whole number, as 268435456");
    }
  }
  return limits;
}

void Limits::check_pixels(std::int64_t width, std::int64_t height) const {
  // Divided rather than multiplied: a header may claim sizes whose product overflows.
  if (width > 0 && height > max_pixels / width) {
    throw FunctionFailure("limit",
                          fmt::format("{} x {} pixels are more than the {} allowed by the setting "
                                      "media.max_pixels",
                                      width, height, max_pixels));
  }
}

}  // namespace coppice::functions
