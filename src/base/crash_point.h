// Crash points: named places where a test may end the process as kill -9 would.
//
// Model    COPPICE_CRASH_POINT("publish.before_commit") does nothing unless COPPICE_TEST=1 and
//          COPPICE_CRASH_AT names it ("name" or "name:3" for the third time it is reached).
//          Every name is registered in crash_point.cpp; `coppice debug crash-points` lists them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace coppice {

struct CrashPointInfo {
  std::string name;
  std::string meaning;
};
std::vector<CrashPointInfo> crash_points();

// Ends the process by SIGKILL when the environment asks for it. The name must be registered.
void reach_crash_point(std::string_view name);

// True when COPPICE_TEST=1: fault hooks are armed.
bool test_hooks_enabled();

}  // namespace coppice
