// What a small statement costs: checked loosely here (other work runs beside the tests, and
// sanitizers are on), printed for those who measure.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>

#include "sql/deparse.h"

namespace coppice::sql {
namespace {

template <class Work>
double best_microseconds(const Work& work) {
  using Clock = std::chrono::steady_clock;
  constexpr int kRounds = 20;
  constexpr int kCalls = 50;
  double best = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = Clock::now();
    for (int i = 0; i < kCalls; ++i) work();
    const std::chrono::duration<double, std::micro> took = Clock::now() - begin;
    best = std::min(best, took.count() / kCalls);
  }
  return best;
}

TEST(ParseCost, IsSmallForASmallStatement) {
  const std::string text =
      "SELECT title, seconds FROM films.film WHERE seconds > 5 AND resize(poster, 320) IS NOT NULL "
      "ORDER BY seconds DESC";
  const double parse_us = best_microseconds([&] { parse_statement(text); });
  Statement statement = parse_statement(text);
  const double deparse_us = best_microseconds([&] { deparse(statement.node()); });
  std::printf("parse %.1f us, deparse with comparison %.1f us\n", parse_us, deparse_us);
  constexpr double kUnderSanitizersUs = 1'000;
  EXPECT_LT(parse_us, kUnderSanitizersUs);
  EXPECT_LT(deparse_us, 3 * kUnderSanitizersUs);
}

}  // namespace
}  // namespace coppice::sql
