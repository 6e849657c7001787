#include "base/direct_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/clock.h"
#include "base/error.h"
#include "base/files.h"

namespace coppice {
namespace {

namespace fs = std::filesystem;

// What the file has when `bytes` are given in pieces of `piece` bytes.
std::string written(const fs::path& file, const std::string& bytes, std::size_t piece) {
  const FileDescriptor fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  EXPECT_TRUE(fd);
  DirectWriter writer(fd.get(), file.string());
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    writer.append(std::string_view(bytes).substr(at, piece));
  }
  writer.finish();
  return read_file(file);
}

// The folder of the tests may be in memory; the tree they were built from lies on a disk.
class DirectWriterTest : public testing::TestWithParam<fs::path> {};

TEST_P(DirectWriterTest, EveryLengthArrivesWhole) {
  const ScratchFolder folder(GetParam(), "direct_writer");
  const std::string all = random_bytes(2 * kDirectBlockBytes + 4'097);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{4'095}, std::size_t{4'096}, std::size_t{4'097},
        kDirectBlockBytes - 1, kDirectBlockBytes, kDirectBlockBytes + 1, all.size()}) {
    const std::string bytes = all.substr(0, size);
    EXPECT_EQ(written(folder.path() / "one", bytes, 1 << 30), bytes) << size;
    EXPECT_EQ(written(folder.path() / "pieces", bytes, 70'001), bytes) << size;
  }
}

TEST_P(DirectWriterTest, AFullDiskIsTold) {
  const FileDescriptor full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full);
  DirectWriter writer(full.get(), "the disk");
  try {
    writer.append(std::string(3 * kDirectBlockBytes, 'x'));
    FAIL() << "it was written";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kDiskFull);
    EXPECT_NE(error.message().find("the disk"), std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(Disks, DirectWriterTest,
                         testing::Values(fs::temp_directory_path(), fs::current_path()));

}  // namespace
}  // namespace coppice
