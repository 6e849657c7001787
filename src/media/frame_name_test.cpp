#include "media/frame_name.h"

#include <gtest/gtest.h>

namespace coppice {
namespace {

const std::string kDigits(64, 'a');

TEST(FrameName, IsReadAsItIsWritten) {
  for (const std::int64_t timestamp : {std::int64_t{0}, std::int64_t{12'800}, INT64_MIN}) {
    const FrameName name{MediaName{kDigits, "mp4"}, timestamp};
    const auto read = FrameName::parse(name.text());
    ASSERT_TRUE(read) << name.text();
    EXPECT_EQ(read->timestamp, timestamp);
    EXPECT_EQ(read->video.text(), name.video.text());
  }
  EXPECT_EQ((FrameName{MediaName{kDigits, "mp4"}, -3}.text()), "frame:" + kDigits + ".mp4@-3");
}

TEST(FrameName, HasOneFormOnly) {
  for (const std::string& text :
       {"frame:" + kDigits + ".mp4", "frame:" + kDigits + ".mp4@", "frame:" + kDigits + ".mp4@1.5",
        "frame:" + kDigits + ".mp4@01", "frame:" + kDigits + ".mp4@+1",
        "media:" + kDigits + ".mp4@1", "frame:" + kDigits + "@1", std::string("frame:abc.mp4@1"),
        "frame:" + kDigits + ".mp4@99999999999999999999", std::string()}) {
    EXPECT_FALSE(FrameName::parse(text)) << text;
  }
}

TEST(FrameName, NeedsItsVideo) {
  EXPECT_EQ(object_behind("frame:" + kDigits + ".mp4@7")->text(), "media:" + kDigits + ".mp4");
  EXPECT_EQ(object_behind("media:" + kDigits + ".jpg")->text(), "media:" + kDigits + ".jpg");
  EXPECT_FALSE(object_behind("http://pictures.example/a.jpg"));
}

}  // namespace
}  // namespace coppice
