#include "workers/row_order.h"

#include <gtest/gtest.h>

namespace coppice {
namespace {

Value image(const std::string& text) {
  Value value;
  value.type = ValueType::kImage;
  value.text = text;
  return value;
}

std::string frame(char video, int timestamp) {
  return "frame:" + std::string(64, video) + ".mp4@" + std::to_string(timestamp);
}

TEST(RowOrder, PutsFramesOfAVideoTogetherAsTheyAreShown) {
  const Batch batch{6,
                    {{image(frame('b', 90)), image(frame('a', 100)), Value{}, image(frame('a', 9)),
                      image(frame('b', -4)), image(frame('a', 100))}}};
  std::vector<std::size_t> rows = {0, 1, 2, 3, 4, 5};
  put_frames_in_order(batch, rows);
  EXPECT_EQ(rows, (std::vector<std::size_t>{2, 3, 1, 5, 4, 0}));
}

TEST(RowOrder, LeavesOtherRowsAlone) {
  const std::string stored = "media:" + std::string(64, 'c') + ".jpg";
  const Batch batch{3, {{image(stored), image("http://pictures.example/a.jpg"), image(stored)}}};
  std::vector<std::size_t> rows = {2, 0, 1};
  put_frames_in_order(batch, rows);
  EXPECT_EQ(rows, (std::vector<std::size_t>{2, 0, 1}));
}

}  // namespace
}  // namespace coppice
