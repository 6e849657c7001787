#include "recovery/path_patterns.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace coppice::recovery {
namespace {

TEST(PathPatterns, WithoutASlashAreOfNames) {
  const PathPatterns patterns({"*.tmp", "cache"});
  EXPECT_TRUE(patterns.match("/srv/a.tmp"));
  EXPECT_TRUE(patterns.match("/srv/deep/cache"));
  EXPECT_TRUE(patterns.match("/cache"));
  EXPECT_FALSE(patterns.match("/srv/a.tmp2"));
  EXPECT_FALSE(patterns.match("/cache/file"));  // its folder matches already
}

TEST(PathPatterns, WithOneInFrontAreOfThePath) {
  const PathPatterns patterns({"/srv/*/log/"});
  EXPECT_TRUE(patterns.match("/srv/one/log"));
  EXPECT_FALSE(patterns.match("/srv/one/two/log"));
  EXPECT_FALSE(patterns.match("/x/srv/one/log"));
}

TEST(PathPatterns, WithOneInsideAreOfEndsOfThePath) {
  const PathPatterns patterns({"one/*.log"});
  EXPECT_TRUE(patterns.match("/srv/one/a.log"));
  EXPECT_TRUE(patterns.match("/one/a.log"));
  EXPECT_FALSE(patterns.match("/srv/none/a.log"));
  EXPECT_FALSE(patterns.match("/srv/one/two/a.log"));
}

TEST(PathPatterns, MatchNothingWhenThereAreNone) {
  EXPECT_FALSE(PathPatterns({}).match("/srv"));
  EXPECT_THROW(PathPatterns({""}), Error);
}

}  // namespace
}  // namespace coppice::recovery
