#include "media/named_writer.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/error.h"

namespace coppice {
namespace {

namespace fs = std::filesystem;

class NamedMediaWriterTest : public testing::Test {
 protected:
  static MediaName name_of(const std::string& bytes) { return {to_hex(sha256(bytes)), "bin"}; }
  bool put(const MediaName& name, const std::string& bytes) {
    NamedMediaWriter writer(store_, name, bytes.size());
    for (std::size_t at = 0; at < bytes.size(); at += 100'000) {
      writer.append(std::string_view(bytes).substr(at, 100'000));
    }
    return writer.finish();
  }

  ScratchFolder scratch_{fs::temp_directory_path(), "named_writer"};
  MediaStore store_{scratch_.path() / "media"};
};

TEST_F(NamedMediaWriterTest, SmallAndLargeObjectsAreInTheirPlaces) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, (std::size_t{9} << 20) + 5}) {
    const std::string bytes = random_bytes(size);
    const MediaName name = name_of(bytes);
    EXPECT_TRUE(put(name, bytes));
    EXPECT_EQ(read_file(store_.path_of(name)), bytes);
    struct stat status {};
    ASSERT_EQ(::stat(store_.path_of(name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0640U);
  }
}

TEST_F(NamedMediaWriterTest, OtherBytesLeaveNothing) {
  const MediaName name = name_of("these bytes");
  EXPECT_FALSE(put(name, "other bytes"));
  EXPECT_FALSE(store_.contains(name));
}

TEST_F(NamedMediaWriterTest, WhoDoesNotFinishLeavesNothing) {
  const MediaName name = name_of("these bytes");
  {
    NamedMediaWriter writer(store_, name, 11);
    writer.append("these");
    EXPECT_TRUE(store_.contains(name));
  }
  EXPECT_FALSE(store_.contains(name));
}

TEST_F(NamedMediaWriterTest, WhatIsThereIsNotTouched) {
  const MediaName name = name_of("these bytes");
  ASSERT_TRUE(put(name, "these bytes"));
  try {
    put(name, "other bytes");
    FAIL() << "it was written over";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kAlreadyExists);
  }
  EXPECT_EQ(read_file(store_.path_of(name)), "these bytes");
}

}  // namespace
}  // namespace coppice
