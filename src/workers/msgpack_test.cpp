#include "workers/msgpack.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"

namespace coppice {
namespace {

std::string packed(const std::function<void(PackWriter&)>& write) {
  std::string bytes;
  PackWriter writer(bytes);
  write(writer);
  return bytes;
}

TEST(MessagePack, IntegersOfEverySizeReturn) {
  for (const std::int64_t value :
       {std::int64_t{0}, std::int64_t{127}, std::int64_t{128}, std::int64_t{-1}, std::int64_t{-32},
        std::int64_t{-33}, std::int64_t{65535}, std::int64_t{1} << 31, -(std::int64_t{1} << 31),
        std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}) {
    const std::string bytes = packed([&](PackWriter& writer) { writer.integer(value); });
    PackReader reader(bytes);
    EXPECT_EQ(reader.integer(), value);
    EXPECT_TRUE(reader.at_end());
  }
}

// What other writers send: bytes from the specification, not from our writer.
TEST(MessagePack, IntegersOfOtherWritersAreRead) {
  EXPECT_EQ(PackReader(std::string_view("\xcc\xff", 2)).integer(), 255);
  EXPECT_EQ(PackReader(std::string_view("\xcd\x07\x80", 3)).integer(), 1920);
  EXPECT_EQ(PackReader(std::string_view("\xce\xff\xff\xff\xff", 5)).integer(), 4294967295);
  EXPECT_EQ(PackReader(std::string_view("\xd0\x80", 2)).integer(), -128);
  EXPECT_EQ(PackReader(std::string_view("\xd1\xff\x00", 3)).integer(), -256);
  EXPECT_EQ(PackReader(std::string_view("\xca\x3f\x80\x00\x00", 5)).number(), 1.0);
  EXPECT_THROW(PackReader(std::string_view("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9)).integer(),
               Error);
}

TEST(MessagePack, TextsOfEverySizeReturn) {
  for (const std::size_t size : {0, 31, 32, 255, 256, 65535, 65536}) {
    const std::string text(size, 't');
    const std::string bytes = packed([&](PackWriter& writer) { writer.text(text); });
    PackReader reader(bytes);
    EXPECT_EQ(reader.text(), text);
    EXPECT_TRUE(reader.at_end());
  }
}

TEST(MessagePack, SkipPassesOverExactlyOneItem) {
  const std::string_view items[] = {
      std::string_view("\xc0", 1),
      std::string_view("\xd9\x03xyz", 5),
      std::string_view("\xc4\x02xy", 4),
      std::string_view("\xc7\x02\x05xy", 5),
      std::string_view("\xd4\x05x", 3),
      std::string_view("\xd8\x05xxxxxxxxxxxxxxxx", 18),
      std::string_view("\xcb\x00\x00\x00\x00\x00\x00\x00\x00", 9),
      std::string_view("\xd3\x00\x00\x00\x00\x00\x00\x00\x00", 9),
      std::string_view("\x82\xa1k\x93\x01\x02\xa1z\xa1l\x80", 11),
      std::string_view("\xdc\x00\x02\x01\x02", 5),
  };
  for (const std::string_view item : items) {
    const std::string bytes = std::string(item) + "\x2a";
    PackReader reader(bytes);
    reader.skip();
    EXPECT_EQ(reader.integer(), 42);
    EXPECT_TRUE(reader.at_end());
  }
}

TEST(MessagePack, DeepNestingIsSkippedWithoutRecursion) {
  const std::string bytes = std::string(10'000'000, '\x91') + '\xc0';
  PackReader reader(bytes);
  reader.skip();
  EXPECT_TRUE(reader.at_end());
}

TEST(MessagePack, CountsThatCannotBeTrueAreRefused) {
  EXPECT_THROW(PackReader(std::string_view("\xdd\xff\xff\xff\xff", 5)).array(), Error);
  EXPECT_THROW(PackReader(std::string_view("\xdf\xff\xff\xff\xff\x01", 6)).map(), Error);
  EXPECT_THROW(PackReader(std::string_view("\xdb\xff\xff\xff\xffxy", 7)).text(), Error);
  EXPECT_THROW(PackReader("").integer(), Error);
  EXPECT_THROW(PackReader("\xc1").skip(), Error);
}

}  // namespace
}  // namespace coppice
