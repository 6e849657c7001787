// The tasks that a schedule may have, in the order in which they are done: each is a setting,
// "schedule.backup".
#pragma once

#include <array>
#include <string_view>

namespace coppice::schedule {

// The backup first: it is what matters. Retention before verification: what goes need not be read.
inline constexpr std::array<std::string_view, 5> kTaskNames = {"backup", "forget", "prune",
                                                               "verify", "drill"};

}  // namespace coppice::schedule
