#include "cli/progress_bar.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/text.h"
#include "cli/display_text.h"
#include "cli/json_text.h"

namespace coppice::cli {
namespace {

constexpr std::size_t kBarCells = 24;

std::string bar(double fraction) {
  const auto full = static_cast<std::size_t>(fraction * static_cast<double>(kBarCells) + 0.5);
  std::string text;
  for (std::size_t i = 0; i < kBarCells; ++i) text += i < full ? "█" : "░";
  return text;
}

// Where the engine knows how fast it is.
std::optional<double> seconds_left(const Progress& progress) {
  if (progress.rows_per_second <= 0 || progress.total < progress.done) return std::nullopt;
  return std::ceil(static_cast<double>(progress.total - progress.done) / progress.rows_per_second);
}

std::string human_rate(double rows_per_second) {
  return fmt::format("{:.{}f}", rows_per_second, rows_per_second < 10 ? 1 : 0);
}

}  // namespace

std::string progress_bar(const Progress& progress, std::chrono::duration<double> elapsed,
                         std::size_t width) {
  const std::string what = printable(progress.what);
  if (progress.total == 0) {
    return cut_to_width(
        fmt::format("{}  {}  {}", what, progress.done, human_seconds(elapsed.count())), width);
  }
  const double fraction =
      std::min(1.0, static_cast<double>(progress.done) / static_cast<double>(progress.total));
  std::string rest =
      fmt::format("  {:.0f} %  {}/{}", fraction * 100, progress.done, progress.total);
  if (const auto left = seconds_left(progress)) {
    rest +=
        fmt::format("  {}/s  {} left", human_rate(progress.rows_per_second), human_seconds(*left));
  } else if (fraction > 0.02 && fraction < 1 && elapsed.count() > 1) {
    // An estimate from the first moments would jump about.
    rest += fmt::format("  {} left", human_seconds(elapsed.count() * (1 - fraction) / fraction));
  }
  const std::size_t needed = display_width(what) + kBarCells + 2 + display_width(rest);
  if (needed <= width) return what + "  " + bar(fraction) + rest;
  return cut_to_width(what + rest, width);
}

std::string progress_json(const Progress& progress) {
  JsonObject inner;
  inner.add("what", progress.what).add("done", progress.done);
  if (progress.total > 0) {
    inner.add("total", progress.total);
  } else {
    inner.add_json("total", "null");
  }
  if (const auto left = seconds_left(progress)) {
    inner.add_json("rows_per_second", fmt::format("{:.1f}", progress.rows_per_second));
    inner.add_json("seconds_left", fmt::format("{:.0f}", *left));
  }
  return JsonObject().add_json("progress", inner.text()).text();
}

}  // namespace coppice::cli
