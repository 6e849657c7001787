#include "recovery/suspicion.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

namespace coppice::recovery {
namespace {

constexpr double kDeviations = 4 * 1.4826;
// Fewer bytes say nothing about what is usual.
constexpr std::uint64_t kLeastPastBytes = 4096;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double share(std::uint64_t part, std::uint64_t all) {
  return all == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(all);
}

class Judge {
 public:
  Judge(const Measures& now, const std::vector<Measures>& past, const WatchLimits& limits)
      : now_(now), limits_(limits) {
    const std::size_t count = std::min(past.size(), kMostPast);
    past_.assign(past.end() - static_cast<std::ptrdiff_t>(count), past.end());
  }

  std::vector<std::string> judge() {
    for (const Measures::Table& table : now_.tables) judge_table(table);
    judge_home();
    judge_media();
    judge_packed("new rows", now_.row_bytes, now_.row_packed_bytes, &Measures::row_bytes,
                 &Measures::row_packed_bytes);
    judge_packed("new media", now_.media_bytes, now_.media_packed_bytes, &Measures::media_bytes,
                 &Measures::media_packed_bytes);
    return std::move(why_);
  }

 private:
  using Usual = std::function<std::optional<double>(const Measures& measures)>;

  // The usual value, when `value` jumps above it by `rise`.
  std::optional<double> jump(double value, double rise, const Usual& usual) const {
    std::vector<double> values;
    for (const Measures& measures : past_) {
      if (const auto past = usual(measures)) values.push_back(*past);
    }
    if (rise <= 0 || values.size() < limits_.least_backups) return std::nullopt;
    const double middle = median(values);
    std::vector<double> deviations;
    for (const double past : values) deviations.push_back(std::abs(past - middle));
    const double limit = middle + std::max(rise, kDeviations * median(deviations));
    return value >= limit ? std::optional(middle) : std::nullopt;
  }

  void judge_table(const Measures::Table& table) {
    if (table.before < limits_.least_rows) return;
    const double gone = share(table.gone, table.before);
    const auto usual = jump(gone, limits_.changed, [&](const Measures& measures) {
      return measures.base.empty() ? std::nullopt : std::optional(past_share(measures, table));
    });
    if (!usual) return;
    const std::uint64_t removed = table.gone > table.fresh ? table.gone - table.fresh : 0;
    why_.push_back(
        fmt::format("{:.0f} % of the rows of {} were changed or deleted, {:.0f} % is "
                    "usual; {} of {} are gone",
                    100 * gone, table.name, 100 * *usual, removed, table.before));
  }

  static double past_share(const Measures& measures, const Measures::Table& wanted) {
    for (const Measures::Table& table : measures.tables) {
      if (table.table_id == wanted.table_id) return share(table.gone, table.before);
    }
    return 0.0;
  }

  // Many small tables.
  void judge_home() {
    if (!why_.empty() || now_.rows_before < limits_.least_rows) return;
    const double gone = share(now_.rows_gone, now_.rows_before);
    const auto usual = jump(gone, limits_.changed, [](const Measures& measures) {
      return measures.base.empty() ? std::nullopt
                                   : std::optional(share(measures.rows_gone, measures.rows_before));
    });
    if (!usual) return;
    why_.push_back(fmt::format("{:.0f} % of all rows were changed or deleted, {:.0f} % is usual",
                               100 * gone, 100 * *usual));
  }

  void judge_media() {
    if (now_.media_before < limits_.least_media) return;
    const double removed = share(now_.media_removed, now_.media_before);
    const auto usual = jump(removed, limits_.changed, [](const Measures& measures) {
      return measures.base.empty()
                 ? std::nullopt
                 : std::optional(share(measures.media_removed, measures.media_before));
    });
    if (!usual) return;
    why_.push_back(fmt::format("{:.0f} % of the media objects are gone, {:.0f} % is usual",
                               100 * removed, 100 * *usual));
  }

  void judge_packed(const char* what, std::uint64_t bytes, std::uint64_t packed,
                    std::uint64_t Measures::*past_bytes, std::uint64_t Measures::*past_packed) {
    if (bytes < limits_.least_bytes) return;
    const double left = share(packed, bytes);
    const auto usual = jump(left, limits_.packed, [&](const Measures& measures) {
      return measures.*past_bytes < kLeastPastBytes
                 ? std::nullopt
                 : std::optional(share(measures.*past_packed, measures.*past_bytes));
    });
    if (!usual) return;
    why_.push_back(
        fmt::format("compression leaves {:.0f} % of {}, {:.0f} % is usual: they look "
                    "encrypted",
                    100 * left, what, 100 * *usual));
  }

  const Measures& now_;
  const WatchLimits& limits_;
  std::vector<Measures> past_;
  std::vector<std::string> why_;
};

}  // namespace

WatchLimits watch_limits(const Config& config) {
  const auto number = [&](const char* key) {
    return static_cast<std::uint64_t>(config.integer(key));
  };
  WatchLimits limits;
  limits.changed = static_cast<double>(number("watch.changed_percent")) / 100;
  limits.packed = static_cast<double>(number("watch.packed_percent")) / 100;
  limits.least_rows = number("watch.least_rows");
  limits.least_bytes = number("watch.least_kib") * 1024;
  limits.least_media = number("watch.least_media");
  limits.least_backups = static_cast<std::size_t>(number("watch.least_backups"));
  return limits;
}

std::vector<std::string> suspicions(const Measures& now, const std::vector<Measures>& past,
                                    const WatchLimits& limits) {
  return Judge(now, past, limits).judge();
}

}  // namespace coppice::recovery
