#include "schedule/zone.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "schedule/test_times.h"
#include "schedule/zone_rule.h"

namespace coppice::schedule {
namespace {

constexpr std::int64_t kHourS = 3600;

// A file of a zone as tzdata has them: offsets, changes (time, which offset), the rule behind.
std::string zone_file(const std::vector<std::int64_t>& offsets_s,
                      const std::vector<std::pair<std::int64_t, int>>& changes,
                      const std::string& rule) {
  const auto number = [](std::int64_t value, int size_bytes) {
    std::string bytes;
    for (int shift = 8 * (size_bytes - 1); shift >= 0; shift -= 8) {
      bytes += static_cast<char>((value >> shift) & 0xff);
    }
    return bytes;
  };
  const auto header = [&](std::size_t times, std::size_t types, std::size_t letters) {
    return "TZif2" + std::string(15, '\0') + number(0, 4) + number(0, 4) + number(0, 4) +
           number(static_cast<std::int64_t>(times), 4) +
           number(static_cast<std::int64_t>(types), 4) +
           number(static_cast<std::int64_t>(letters), 4);
  };
  std::string file = header(0, 0, 0) + header(changes.size(), offsets_s.size(), 4);
  for (const auto& [at_s, kind] : changes) file += number(at_s, 8);
  for (const auto& [at_s, kind] : changes) file += static_cast<char>(kind);
  for (const std::int64_t offset_s : offsets_s) file += number(offset_s, 4) + std::string(2, '\0');
  return file + std::string("XYZ\0", 4) + "\n" + rule + "\n";
}

TEST(ZoneRule, ChangesClocksOnSundaysOfEurope) {
  const auto rule = parse_zone_rule("CET-1CEST,M3.5.0,M10.5.0/3");
  ASSERT_TRUE(rule);
  EXPECT_EQ(rule->offset_s(utc(2026, 3, 29, 0, 59, 59)), kHourS);
  EXPECT_EQ(rule->offset_s(utc(2026, 3, 29, 1)), 2 * kHourS);
  EXPECT_EQ(rule->offset_s(utc(2026, 10, 25, 0, 59, 59)), 2 * kHourS);
  EXPECT_EQ(rule->offset_s(utc(2026, 10, 25, 1)), kHourS);
  EXPECT_EQ(rule->offset_s(utc(2099, 7, 1)), 2 * kHourS);
}

TEST(ZoneRule, HasItsSummerOverTheTurnOfTheYearInTheSouth) {
  const auto rule = parse_zone_rule("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0");  // Lord Howe
  ASSERT_TRUE(rule);
  EXPECT_EQ(rule->offset_s(utc(2027, 1, 1)), 11 * kHourS);
  EXPECT_EQ(rule->offset_s(utc(2026, 12, 31, 23, 59)), 11 * kHourS);
  EXPECT_EQ(rule->offset_s(utc(2026, 7, 1)), 10 * kHourS + 1800);
}

TEST(ZoneRule, CountsDaysWithAndWithoutTheLeapDay) {
  const auto julian = parse_zone_rule("AAA0BBB,J60/0,J300/0");  // March 1 in every year
  ASSERT_TRUE(julian);
  EXPECT_EQ(julian->offset_s(utc(2028, 2, 29, 23, 59, 59)), 0);
  EXPECT_EQ(julian->offset_s(utc(2028, 3, 1)), kHourS);
  const auto plain = parse_zone_rule("AAA0BBB,59/0,300/0");  // February 29 in a leap year
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->offset_s(utc(2028, 2, 29)), kHourS);
}

TEST(ZoneRule, RefusesWhatIsNone) {
  for (const char* text : {"", "C", "CET", "CET-1CEST", "CET-1CEST,M3.5.0",
                           "CET-1CEST,M13.5.0,M1.1.0", "CET-1CEST,M3.6.0,M10.5.0",
                           "CET-1CEST,J0,J3", "<CET-1", "CET-200", "CET-1CEST,M3.5.0,M10.5.0/3x"}) {
    EXPECT_FALSE(parse_zone_rule(text)) << text;
  }
}

TEST(Zone, GoesByItsChangesAndThenByItsRule) {
  const std::int64_t change = utc(2000, 1, 1);
  const Zone zone = Zone::parse(
      zone_file({-kHourS, kHourS}, {{change, 1}}, "CET-1CEST,M3.5.0,M10.5.0/3"), "test");
  EXPECT_EQ(zone.offset_s(change - 1), -kHourS);
  EXPECT_EQ(zone.offset_s(change), kHourS);
  EXPECT_EQ(zone.offset_s(utc(2050, 7, 1)), 2 * kHourS);
}

TEST(Zone, KeepsTheLastOffsetWithoutARule) {
  const Zone zone = Zone::parse(zone_file({0, kHourS}, {{100, 1}}, ""), "test");
  EXPECT_EQ(zone.offset_s(utc(2050, 7, 1)), kHourS);
}

TEST(Zone, RefusesEveryCutFile) {
  const std::string whole = zone_file({0, kHourS}, {{100, 1}, {200, 0}}, "AAA0");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(Zone::parse(whole.substr(0, size), "test"), Error) << size;
  }
  EXPECT_THROW(Zone::parse(zone_file({0}, {{100, 1}}, ""), "test"), Error);
  EXPECT_THROW(Zone::parse(zone_file({0, 1}, {{100, 1}, {100, 0}}, ""), "test"), Error);
  EXPECT_THROW(Zone::parse(zone_file({}, {}, ""), "test"), Error);
  EXPECT_THROW(Zone::parse(zone_file({0}, {}, "no rule"), "test"), Error);
}

TEST(Zone, FindsTheMomentThatTheWallShows) {
  const Zone berlin =
      Zone::parse(zone_file({kHourS}, {{0, 0}}, "CET-1CEST,M3.5.0,M10.5.0/3"), "test");
  EXPECT_EQ(berlin.utc_s(utc(2026, 1, 10, 2, 30)), utc(2026, 1, 10, 1, 30));
  EXPECT_EQ(berlin.utc_s(utc(2026, 7, 10, 2, 30)), utc(2026, 7, 10, 0, 30));
  // 02:30 is skipped: the wall shows 03:30 then.
  EXPECT_EQ(berlin.utc_s(utc(2026, 3, 29, 2, 30)), utc(2026, 3, 29, 1, 30));
  EXPECT_EQ(berlin.utc_s(utc(2026, 3, 29, 3, 30)), utc(2026, 3, 29, 1, 30));
  // 02:30 is shown twice: the first time counts.
  EXPECT_EQ(berlin.utc_s(utc(2026, 10, 25, 2, 30)), utc(2026, 10, 25, 0, 30));
  EXPECT_EQ(berlin.utc_s(utc(2026, 10, 25, 3, 30)), utc(2026, 10, 25, 2, 30));
}

TEST(Zone, IsNamed) {
  EXPECT_EQ(Zone::named("UTC").offset_s(0), 0);
  EXPECT_EQ(Zone::named("utc").offset_s(0), 0);
  for (const char* name : {"", "/etc/passwd", "../UTC", "Europe/../x", "a b", "Nowhere/Land"}) {
    EXPECT_THROW(Zone::named(name), Error) << name;
  }
  EXPECT_NO_THROW(Zone::named("local"));
}

TEST(Zone, ReadsTheSystemsFiles) {
  ASSERT_TRUE(std::filesystem::exists("/usr/share/zoneinfo/Europe/Berlin")) << "tzdata is missing";
  const Zone berlin = Zone::named("Europe/Berlin");
  EXPECT_EQ(berlin.offset_s(utc(2026, 1, 1)), kHourS);
  EXPECT_EQ(berlin.offset_s(utc(2026, 7, 1)), 2 * kHourS);
  EXPECT_EQ(berlin.offset_s(utc(2076, 7, 1)), 2 * kHourS);
  EXPECT_EQ(berlin.offset_s(utc(1947, 6, 1)), 3 * kHourS);  // midsummer time
}

}  // namespace
}  // namespace coppice::schedule
