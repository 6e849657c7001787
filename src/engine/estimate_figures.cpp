#include "engine/estimate_figures.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <set>

#include "engine/function_costs.h"

namespace coppice::engine {
namespace {

// Student's t for 95 %, by degrees of freedom from 1.
constexpr std::array kStudent = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262};
constexpr double kRuleOfThree = 3;
constexpr double kModelMargin = 1.5;  // of time
constexpr int kDigits = 6;

double sum_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum;
}

class Lines {
 public:
  Lines(EngineContext& context, const RehearsalFigures& figures)
      : context_(context), figures_(figures) {
    for (const GroupFigures& group : figures.groups) units_.push_back(group.units);
  }

  std::vector<EstimateLine> make() {
    add_rows();
    std::set<std::string> functions;
    for (const GroupFigures& group : figures_.groups) {
      for (const auto& [function, usage] : group.usage) functions.insert(function);
    }
    for (const std::string& function : functions) add_function(function);
    add("failed cells", std::nullopt, "cells", [](const auto& group) { return group.failures; });
    if (!functions.empty()) add_money();
    add_seconds();
    return std::move(lines_);
  }

 private:
  using Measure = std::function<double(const GroupFigures&)>;

  Total total_of(const Measure& measure) const {
    std::vector<double> values;
    for (const GroupFigures& group : figures_.groups) values.push_back(measure(group));
    return scaled_total(values, units_, figures_.total_units);
  }

  void add(const std::string& measure, const std::optional<std::string>& of,
           const std::string& unit, const Measure& value) {
    lines_.push_back({measure, of, total_of(value), unit});
  }

  void add_rows() {
    std::set<std::string> tables;
    for (const GroupFigures& group : figures_.groups) {
      for (const auto& [table, rows] : group.rows) tables.insert(table);
    }
    if (tables.empty()) tables.insert(figures_.unit_table);
    for (const std::string& table : tables) {
      const auto rows = [&](const GroupFigures& group) {
        const auto found = group.rows.find(table);
        return found == group.rows.end() ? 0.0 : found->second;
      };
      // Where each row of the sample gave one, all rows do: they were counted.
      const bool one_each =
          std::all_of(figures_.groups.begin(), figures_.groups.end(),
                      [&](const GroupFigures& group) { return rows(group) == group.units; });
      if (one_each && table == figures_.unit_table) {
        const double total = figures_.total_units;
        lines_.push_back({"rows", table, {total, total, total}, "rows"});
      } else {
        add("rows", table, "rows", rows);
      }
    }
  }

  // What part of the calls of a function that the sample makes one think of will be made: equal
  // ones are made once.
  double different_part(const std::string& function) const {
    Usage sum;
    for (const GroupFigures& group : figures_.groups) {
      const auto found = group.usage.find(function);
      if (found != group.usage.end()) sum += found->second;
    }
    const double made = static_cast<double>(sum.calls + sum.failures);
    const double drawn = made + static_cast<double>(sum.repeats);
    if (sum.repeats == 0 || made == 0) return 1;
    const double scale = figures_.total_units / std::max(1.0, sum_of(units_));
    return different_in(drawn * scale, drawn, made) / (made * scale);
  }

  // The sample's own sum is the least there is.
  static Total part_of(Total total, double part, double seen) {
    if (part >= 1) return total;
    total.estimate = std::max(total.estimate * part, seen);
    if (total.low) total.low = seen;
    return total;
  }

  double seen(const Measure& measure) const {
    double sum = 0;
    for (const GroupFigures& group : figures_.groups) sum += measure(group);
    return sum;
  }

  void add_money() {
    const Measure of_all = [](const GroupFigures& group) {
      double money = 0;
      for (const auto& [name, usage] : group.usage) money += usage.money.approximate();
      return money;
    };
    Total total = total_of(of_all);
    double estimate = 0;
    bool repeats = false;
    for (const EstimateLine& line : lines_) {
      if (line.measure != "money") continue;
      estimate += line.total.estimate;
      repeats |= different_part(*line.of) < 1;
    }
    if (repeats) {
      total.estimate = estimate;
      if (total.low) total.low = seen(of_all);
    }
    lines_.push_back({"money", std::nullopt, total, context_.spending().currency()});
  }

  void add_function(const std::string& function) {
    const double part = different_part(function);
    const auto of = [&](const std::function<double(const Usage&)>& value) -> Measure {
      return [function, value](const GroupFigures& group) {
        const auto found = group.usage.find(function);
        return found == group.usage.end() ? 0.0 : value(found->second);
      };
    };
    const auto count = [&](const char* measure, const char* unit, auto value) {
      const Measure figure = of([value](const Usage& usage) { return double(value(usage)); });
      const bool made = std::string_view(measure) != "kept";
      const Total total = part_of(total_of(figure), made ? part : 1, seen(figure));
      if (total.estimate > 0 || std::string_view(measure) == "calls") {
        lines_.push_back({measure, function, total, unit});
      }
    };
    count("calls", "calls", [](const Usage& usage) { return usage.calls + usage.failures; });
    count("kept", "calls", [](const Usage& usage) { return usage.kept; });
    count("failures", "calls", [](const Usage& usage) { return usage.failures; });
    count("requests", "requests", [](const Usage& usage) { return usage.requests; });
    count("tokens in", "tokens", [](const Usage& usage) { return usage.tokens_in; });
    count("tokens out", "tokens", [](const Usage& usage) { return usage.tokens_out; });
    const Measure money = of([](const Usage& usage) { return usage.money.approximate(); });
    lines_.push_back({"money", function, part_of(total_of(money), part, seen(money)),
                      context_.spending().currency()});
  }

  // A call's own time, spread over those that run beside it.
  double spread(const std::string& function, const Usage& usage, bool whole_run) const {
    if (usage.requests == 0) return 0;
    const UserFunction* const known = context_.user_functions.find(function);
    if (known == nullptr) return usage.seconds;
    const CallPace pace = call_pace(context_.config, *known);
    const double each = usage.seconds / static_cast<double>(usage.requests);
    const double requests = static_cast<double>(usage.requests);
    if (!whole_run) return usage.seconds / std::min(pace.side_by_side, requests);
    return std::max(each / pace.side_by_side, pace.per_minute > 0 ? 60.0 / pace.per_minute : 0.0) *
           requests;
  }

  void add_seconds() {
    // What starts workers is in the first group.
    const std::size_t first = figures_.groups.size() >= 3 ? 1 : 0;
    std::vector<double> seconds, units;
    for (std::size_t i = first; i < figures_.groups.size(); ++i) {
      const GroupFigures& group = figures_.groups[i];
      double calls = 0, beside = 0;
      for (const auto& [function, usage] : group.usage) {
        calls += spread(function, usage, true) * different_part(function);
        beside += spread(function, usage, false);
      }
      const double rest = std::max(0.0, group.seconds - figures_.idle_seconds - beside);
      seconds.push_back(calls + rest);
      units.push_back(group.units);
    }
    Total total = scaled_total(seconds, units, figures_.total_units);
    total.estimate += figures_.idle_seconds;
    if (total.low) total.low = (*total.low + figures_.idle_seconds) / kModelMargin;
    if (total.high) total.high = (*total.high + figures_.idle_seconds) * kModelMargin;
    lines_.push_back({"seconds", std::nullopt, total, "s"});
  }

  EngineContext& context_;
  const RehearsalFigures& figures_;
  std::vector<double> units_;
  std::vector<EstimateLine> lines_;
};

}  // namespace

Total scaled_total(const std::vector<double>& values, const std::vector<double>& units,
                   double total_units) {
  const double sample = sum_of(units);
  Total total;
  if (total_units == 0) return {0, 0.0, 0.0};
  if (sample == 0) return {0, std::nullopt, std::nullopt};
  const double mean = sum_of(values) / sample;
  total.estimate = mean * total_units;
  if (sample >= total_units) return {total.estimate, total.estimate, total.estimate};
  const std::size_t count = values.size();
  if (count < 2) return total;
  double squares = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double apart = values[i] - mean * units[i];
    squares += apart * apart;
  }
  const double groups = static_cast<double>(count);
  const double average_units = sample / groups;
  const double error = std::sqrt(squares / (groups - 1) / groups) / average_units;
  const double left = std::sqrt(1 - sample / total_units);
  double half = kStudent[std::min(count - 2, kStudent.size() - 1)] * error * left * total_units;
  // Relative: below it no sample of this size can see.
  const double least = total.estimate * std::min(1.0, kRuleOfThree / sample) * left;
  if (squares <= 1e-18 * std::max(1.0, mean * mean)) half = std::max(half, least);
  // What the sample itself has shown is there.
  total.low = std::max(total.estimate - half, sum_of(values));
  total.high = total.estimate + half;
  // Of what was not seen at all: three in n, of one a row.
  if (total.estimate == 0) total.high = total_units * std::min(1.0, kRuleOfThree / sample) * left;
  return total;
}

double different_in(double total, double drawn, double different) {
  if (different >= drawn) return total;
  const auto expected = [](double kinds, double draws) {
    return kinds * (1 - std::pow(1 - 1 / kinds, draws));
  };
  double low = std::max(1.0, different), high = 1e12;
  if (expected(low, drawn) >= different) return std::min(low, total);
  for (int step = 0; step < 200 && high - low > 1e-6 * low; ++step) {
    const double middle = std::sqrt(low * high);
    (expected(middle, drawn) < different ? low : high) = middle;
  }
  return std::min(expected(low, total), total);
}

std::vector<EstimateLine> estimate_lines(EngineContext& context, const RehearsalFigures& figures) {
  return Lines(context, figures).make();
}

std::string number_text(double value, const std::string& unit) {
  const bool whole = unit == "rows" || unit == "calls" || unit == "requests" || unit == "tokens" ||
                     unit == "cells";
  if (whole) return fmt::format("{:.0f}", value);
  const double size = std::abs(value);
  const int before = size < 1 ? 0 : static_cast<int>(std::floor(std::log10(size))) + 1;
  const int leading =
      size > 0 && size < 1 ? static_cast<int>(-std::floor(std::log10(size))) - 1 : 0;
  std::string text = fmt::format("{:.{}f}", value, std::clamp(kDigits - before + leading, 0, 15));
  if (text.find('.') == std::string::npos) return text;
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace coppice::engine
