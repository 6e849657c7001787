#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "recovery/drill_page.h"
#include "recovery/signed_text.h"

namespace coppice::recovery {
namespace {

constexpr double kWidth = 720, kHeight = 240;
constexpr double kLeft = 78, kRight = 14, kTop = 12, kBottom = 34;
constexpr int kTicks = 4;

// Steps in which people count time: 1, 2 or 5 of a power of ten of seconds below a minute, then
// round numbers of minutes, hours and days.
double tick_step(double most) {
  constexpr double kRound[] = {60,     120,    300,    600,    1'200,   1'800,   3'600,  7'200,
                               14'400, 21'600, 43'200, 86'400, 172'800, 432'000, 864'000};
  const double wanted = most / kTicks;
  for (double power = 1e-3; power < 60; power *= 10) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (factor * power >= wanted && factor * power < 60) return factor * power;
    }
  }
  for (const double step : kRound) {
    if (step >= wanted) return step;
  }
  double step = kRound[std::size(kRound) - 1];
  while (step < wanted) step *= 2;
  return step;
}

class Chart {
 public:
  explicit Chart(const std::vector<ChartPoint>& points) : points_(points) {
    double most = 0;
    for (const ChartPoint& point : points) {
      most = std::max({most, point.measured.value_or(0), point.objective.value_or(0)});
    }
    step_ = tick_step(most > 0 ? most : 1);
    most_ = step_ * std::max(1.0, std::ceil(most / step_));
  }

  std::string body() const { return axes() + objectives() + line() + marks(); }

 private:
  // The only drill is in the middle.
  double x(std::size_t i) const {
    const double place =
        points_.size() < 2 ? 0.5 : static_cast<double>(i) / static_cast<double>(points_.size() - 1);
    constexpr double kMargin = 12;
    return kLeft + kMargin + place * (kWidth - kLeft - kRight - 2 * kMargin);
  }
  double y(double seconds) const {
    return kTop + (1 - seconds / most_) * (kHeight - kTop - kBottom);
  }

  std::string axes() const {
    std::string svg;
    for (double at = 0; at <= most_ + step_ / 2; at += step_) {
      svg += fmt::format(
          "<line class=\"grid\" stroke=\"#d0d7de\" x1=\"{0:.1f}\" y1=\"{2:.1f}\" x2=\"{1:.1f}\" "
          "y2=\"{2:.1f}\"/>"
          "<text x=\"{3:.1f}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>\n",
          kLeft, kWidth - kRight, y(at), kLeft - 6, y(at) + 4, shown_duration(at));
    }
    if (points_.empty()) return svg;
    const auto label = [&](std::size_t i, const char* anchor) {
      svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x(i),
                         kHeight - 12, anchor, html_escaped(points_[i].label.substr(0, 10)));
    };
    if (points_.size() == 1) {
      label(0, "middle");
    } else {
      label(0, "start");
      label(points_.size() - 1, "end");
    }
    return svg;
  }

  // As wide as half the way to the drills beside it.
  std::string objectives() const {
    std::string path;
    for (std::size_t i = 0; i < points_.size(); ++i) {
      if (!points_[i].objective) continue;
      const double from = i == 0 ? kLeft : (x(i - 1) + x(i)) / 2;
      const double to = i + 1 == points_.size() ? kWidth - kRight : (x(i) + x(i + 1)) / 2;
      path += fmt::format("M{:.1f} {:.1f}H{:.1f}", from, y(*points_[i].objective), to);
    }
    return path.empty() ? path
                        : fmt::format(
                              "<path class=\"objective\" fill=\"none\" stroke=\"#8a4600\" "
                              "stroke-dasharray=\"7 4\" d=\"{}\"/>\n",
                              path);
  }

  std::string line() const {
    std::string path;
    bool broken = true;  // a drill without a measure interrupts it
    for (std::size_t i = 0; i < points_.size(); ++i) {
      const std::optional<double>& measured = points_[i].measured;
      if (measured) path += fmt::format("{}{:.1f} {:.1f}", broken ? 'M' : 'L', x(i), y(*measured));
      broken = !measured;
    }
    return path.empty()
               ? path
               : fmt::format("<path class=\"line\" fill=\"none\" stroke=\"#0a58ca\" d=\"{}\"/>\n",
                             path);
  }

  // Colors are those of light paper where no style sheet says others.
  // Round when it passed, a cross when it did not: not by the color alone.
  std::string marks() const {
    std::string svg;
    for (std::size_t i = 0; i < points_.size(); ++i) {
      const ChartPoint& point = points_[i];
      const double at = y(point.measured.value_or(0));
      const std::string said =
          fmt::format("<title>{}: {}, {}</title>", html_escaped(point.label),
                      point.measured ? shown_duration(*point.measured) : "not measured",
                      point.passed ? "passed" : "did not pass");
      svg += point.passed ? fmt::format(
                                "<circle class=\"passed\" fill=\"#0a58ca\" cx=\"{:.1f}\" "
                                "cy=\"{:.1f}\" r=\"4\">{}"
                                "</circle>\n",
                                x(i), at, said)
                          : fmt::format(
                                "<path class=\"failed\" fill=\"none\" stroke=\"#b3261e\" "
                                "d=\"M{0:.1f} {1:.1f}l10 10m0 -10l-10 10\">"
                                "{2}</path>\n",
                                x(i) - 5, at - 5, said);
    }
    return svg;
  }

  const std::vector<ChartPoint>& points_;
  double step_ = 1, most_ = 1;
};

std::string description(const std::vector<ChartPoint>& points) {
  if (points.empty()) return "There are no drills yet.";
  std::size_t passed = 0;
  for (const ChartPoint& point : points) passed += point.passed ? 1 : 0;
  const ChartPoint& last = points.back();
  return fmt::format(
      "{} drills, of which {} passed. The last: {}{}.", points.size(), passed,
      last.measured ? shown_duration(*last.measured) : "not measured",
      last.objective ? ", objective " + shown_duration(*last.objective) : ", without an objective");
}

}  // namespace

std::string drill_chart(const std::string& id, const std::string& title,
                        const std::vector<ChartPoint>& points) {
  return fmt::format(
      "<svg viewBox=\"0 0 {0:.0f} {1:.0f}\" role=\"img\" aria-labelledby=\"{2}-title {2}-text\" "
      "xmlns=\"http://www.w3.org/2000/svg\">\n<title id=\"{2}-title\">{3}</title>\n"
      "<desc id=\"{2}-text\">{4}</desc>\n{5}</svg>\n",
      kWidth, kHeight, id, html_escaped(title), html_escaped(description(points)),
      Chart(points).body());
}

}  // namespace coppice::recovery
