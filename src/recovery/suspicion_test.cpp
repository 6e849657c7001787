// What jumps and what does not: attacks, bad scripts, and homes that merely live.
#include "recovery/suspicion.h"

#include <gtest/gtest.h>

namespace coppice::recovery {
namespace {

// A backup of one table.
Measures measured(std::uint64_t before, std::uint64_t fresh, std::uint64_t gone,
                  double packed = 0.2) {
  Measures measures;
  measures.base = "b";
  measures.rows_before = before;
  measures.rows_new = fresh;
  measures.rows_gone = gone;
  if (fresh + gone > 0) measures.tables.push_back({1, "public.film", before, fresh, gone});
  measures.row_bytes = fresh * 1000;
  measures.row_packed_bytes = static_cast<std::uint64_t>(packed * 1000) * fresh;
  return measures;
}

Measures first_load(std::uint64_t rows) {
  Measures measures = measured(0, rows, 0);
  measures.base.clear();
  measures.tables.clear();
  return measures;
}

std::vector<Measures> ordinary(int count) {
  std::vector<Measures> past = {first_load(10'000)};
  for (int i = 0; i < count; ++i) {
    past.push_back(
        measured(10'000 + 500 * i, 100 + 300 * (i % 4), 50 * (i % 3), 0.18 + 0.02 * (i % 4)));
  }
  return past;
}

TEST(Suspicion, OrdinaryGrowthIsNone) {
  std::vector<Measures> past;
  for (const Measures& next : ordinary(20)) {
    EXPECT_TRUE(suspicions(next, past, {}).empty());
    past.push_back(next);
  }
}

TEST(Suspicion, AFirstBulkLoadIsNone) {
  EXPECT_TRUE(suspicions(first_load(1'000'000), {}, {}).empty());
  // Nor one into a home that was nearly empty for long.
  const std::vector<Measures> small(5, measured(10, 1, 0));
  EXPECT_TRUE(suspicions(measured(10, 1'000'000, 0), small, {}).empty());
}

TEST(Suspicion, MostRowsChangedIsOne) {
  const auto why = suspicions(measured(10'000, 9'000, 9'000), ordinary(10), {});
  ASSERT_EQ(why.size(), 1u);
  EXPECT_NE(why[0].find("90 % of the rows of public.film"), std::string::npos);
}

TEST(Suspicion, MostRowsDeletedIsOne) {
  const auto why = suspicions(measured(10'000, 0, 9'000), ordinary(10), {});
  ASSERT_EQ(why.size(), 1u);
  EXPECT_NE(why[0].find("9000 of 10000 are gone"), std::string::npos);
}

TEST(Suspicion, OfATableAmongLargerOnes) {
  Measures now = measured(10'000, 100, 0);
  now.tables.push_back({2, "public.price", 2'000, 0, 1'900});
  now.rows_before += 2'000;
  now.rows_gone += 1'900;
  EXPECT_EQ(suspicions(now, ordinary(10), {}).size(), 1u);
}

TEST(Suspicion, WhatIsUsualIsNone) {
  // Everything is replaced every night.
  const std::vector<Measures> past(5, measured(10'000, 10'000, 10'000));
  EXPECT_TRUE(suspicions(measured(10'000, 10'000, 10'000), past, {}).empty());
}

TEST(Suspicion, SmallTablesAndFewBackupsAreNotJudged) {
  EXPECT_TRUE(suspicions(measured(900, 0, 900), ordinary(10), {}).empty());
  EXPECT_TRUE(suspicions(measured(10'000, 0, 9'000), ordinary(2), {}).empty());
  EXPECT_FALSE(suspicions(measured(10'000, 0, 9'000), ordinary(3), {}).empty());
}

TEST(Suspicion, DataThatDoesNotCompressIsOne) {
  const auto why = suspicions(measured(10'000, 2'000, 0, 0.76), ordinary(10), {});
  ASSERT_EQ(why.size(), 1u);
  EXPECT_NE(why[0].find("look encrypted"), std::string::npos);
  EXPECT_TRUE(suspicions(measured(10'000, 2'000, 0, 0.4), ordinary(10), {}).empty());
  EXPECT_TRUE(suspicions(measured(10'000, 20, 0, 0.9), ordinary(10), {}).empty());
}

TEST(Suspicion, MediaThatAreGoneAreOne) {
  Measures now = measured(10'000, 0, 0);
  now.media_before = 500;
  now.media_removed = 450;
  EXPECT_EQ(suspicions(now, ordinary(10), {}).size(), 1u);
  now.media_before = 50;
  EXPECT_TRUE(suspicions(now, ordinary(10), {}).empty());
}

TEST(Suspicion, ZeroTurnsAMeasureOff) {
  WatchLimits limits;
  limits.changed = 0;
  EXPECT_TRUE(suspicions(measured(10'000, 0, 9'000), ordinary(10), limits).empty());
}

}  // namespace
}  // namespace coppice::recovery
