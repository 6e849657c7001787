#include "schedule/due.h"

#include <algorithm>

namespace coppice::schedule {
namespace {

std::int64_t pause_s(int failures) {
  if (failures <= 0) return 0;
  constexpr int kMostDoublings = 20;
  return std::min(kLongestPauseS, kFirstPauseS << std::min(failures - 1, kMostDoublings));
}

}  // namespace

NextRun next_run(const Calendar& calendar, const Zone& zone, std::int64_t since_s,
                 std::span<const Attempt> newest_first, std::int64_t now_s) {
  while (!newest_first.empty() && newest_first.front().began_s > now_s + kClockSlackS) {
    newest_first = newest_first.subspan(1);
  }
  NextRun next;
  for (const Attempt& attempt : newest_first) {
    if (attempt.outcome == Attempt::Outcome::kDone) break;
    ++next.failures_in_a_row;
  }
  const std::int64_t since = std::min(since_s, now_s);
  if (newest_first.empty()) {
    next.at_s = calendar.next_s(since, zone);
    return next;
  }
  const Attempt& last = newest_first.front();
  next.at_s = calendar.next_s(std::max(since, last.began_s), zone);
  if (next.failures_in_a_row == 0) return next;
  const bool died = last.outcome == Attempt::Outcome::kInterrupted;
  const std::int64_t retry_s =
      last.ended_s.value_or(last.began_s) + pause_s(next.failures_in_a_row - (died ? 1 : 0));
  if (retry_s >= next.at_s) return next;
  next.at_s = retry_s;
  next.is_retry = true;
  return next;
}

}  // namespace coppice::schedule
