#include "schedule/timer_text.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace coppice::schedule {
namespace {

TimerSubject subject(std::string home) {
  TimerSubject made;
  made.program = "/usr/bin/coppice";
  made.home = std::move(home);
  return made;
}

// The line of a unit that begins with `key`=.
std::string line_of(const std::string& unit, const std::string& key) {
  const std::size_t begin = unit.find("\n" + key + "=");
  if (begin == std::string::npos) return "none";
  return unit.substr(begin + key.size() + 2, unit.find('\n', begin + 1) - begin - key.size() - 2);
}

TEST(TimerText, AUnitNamesItsPathsInQuotes) {
  EXPECT_EQ(line_of(service_unit(subject("/srv/my films")), "ExecStart"),
            R"("/usr/bin/coppice" schedule run --home "/srv/my films")");
  EXPECT_EQ(line_of(service_unit(subject(R"(/srv/100% "a\b" $HOME 'x')")), "ExecStart"),
            R"("/usr/bin/coppice" schedule run --home "/srv/100%% \"a\\b\" $$HOME 'x'")");
  TimerSubject odd = subject("/h");
  odd.program = "/opt/100% $x/coppice";
  EXPECT_EQ(line_of(service_unit(odd), "ExecStart"),
            R"("/opt/100%% $x/coppice" schedule run --home "/h")");
}

TEST(TimerText, AServiceOfTheMachineHasWallsAndAnAccount) {
  TimerSubject mine = subject("/srv/films");
  EXPECT_EQ(line_of(service_unit(mine), "ProtectSystem"), "none");
  EXPECT_EQ(line_of(service_unit(mine), "User"), "none");
  mine.system = true;
  mine.account = "films";
  EXPECT_EQ(line_of(service_unit(mine), "ProtectSystem"), "full");
  EXPECT_EQ(line_of(service_unit(mine), "User"), "films");
  EXPECT_EQ(line_of(service_unit(mine), "NoNewPrivileges"), "yes");
}

TEST(TimerText, EachHomeHasANameOfItsOwn) {
  EXPECT_EQ(timer_name("/a"), timer_name("/a"));
  EXPECT_NE(timer_name("/a"), timer_name("/b"));
  EXPECT_EQ(timer_name("/a").size(), std::string("coppice-schedule-").size() + 8);
}

TEST(TimerText, ACrontabsLineIsQuotedForTheShellAndForCron) {
  const std::string line = cron_line(subject("/srv/it's 100%"));
  EXPECT_EQ(line, R"(*/5 * * * * nice -n 10 /usr/bin/coppice schedule run --quiet --home )"
                  R"('/srv/it'\''s 100\%' # )" +
                      timer_name("/srv/it's 100%"));
}

TEST(TimerText, RefusesPathsThatCannotBeWritten) {
  EXPECT_THROW(service_unit(subject("/srv/a\nb")), Error);
  EXPECT_THROW(timer_unit(subject("/srv/a\nb")), Error);
  EXPECT_THROW(cron_line(subject("/srv/a\nb")), Error);
  EXPECT_THROW(cron_line(subject("/srv/a\\b")), Error);
  EXPECT_THROW(service_unit(subject("/srv/\xff")), Error);
}

TEST(TimerText, OtherLinesOfACrontabStay) {
  const std::string other = "# mine\nMAILTO=me\n\n0 1 * * * backup # coppice-schedule-x";
  const std::string with = crontab_with(other, subject("/a"));
  EXPECT_EQ(with, other + "\n" + cron_line(subject("/a")) + "\n");
  EXPECT_EQ(crontab_with(with, subject("/a")), with);
  const std::string both = crontab_with(with, subject("/b"));
  EXPECT_EQ(crontab_without(both, "/b"), with);
  EXPECT_EQ(crontab_without(both, "/a"), other + "\n" + cron_line(subject("/b")) + "\n");
  EXPECT_EQ(crontab_without(other, "/a"), other);
  EXPECT_EQ(crontab_without("", "/a"), "");
  EXPECT_EQ(crontab_with("", subject("/a")), cron_line(subject("/a")) + "\n");
}

TEST(TimerText, AnOlderLineIsReplaced) {
  const std::string old = "@daily old-coppice # " + timer_name("/a") + "\nother\n";
  EXPECT_EQ(crontab_with(old, subject("/a")), "other\n" + cron_line(subject("/a")) + "\n");
}

}  // namespace
}  // namespace coppice::schedule
