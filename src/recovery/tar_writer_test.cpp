#include "recovery/tar_writer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "base/files.h"

namespace coppice::recovery {
namespace {

std::string archive(std::initializer_list<std::pair<std::string, std::string>> files) {
  std::string bytes;
  TarWriter tar(1'700'000'000, [&](std::string_view part) { bytes += part; });
  for (const auto& [name, content] : files) {
    tar.begin_file(name, content.size());
    tar.append(content);
    tar.end_file();
  }
  tar.finish();
  return bytes;
}

TEST(TarWriter, IsReadByTar) {
  const ScratchFolder scratch(std::filesystem::temp_directory_path());
  const std::filesystem::path file = scratch.path() / "a.tar";
  const std::string name = "media/sha256/ab/" + std::string(64, 'a') + ".abcdefghijkl";
  const std::string bytes =
      archive({{name, "content"}, {"empty", ""}, {"block", std::string(512, 'x')}});
  std::ofstream(file, std::ios::binary) << bytes;
  const std::string command =
      "tar --extract --file " + file.string() + " --directory " + scratch.path().string();
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(read_file(scratch.path() / name), "content");
  EXPECT_EQ(read_file(scratch.path() / "empty"), "");
  EXPECT_EQ(read_file(scratch.path() / "block"), std::string(512, 'x'));
  EXPECT_EQ(bytes.size() % 10240, 0U);
}

TEST(TarWriter, WritesThePositionBeforeAFileThatIsDropped) {
  std::string bytes;
  TarWriter tar(0, [&](std::string_view part) { bytes += part; });
  tar.begin_file("a", 3);
  tar.append("abc");
  tar.end_file();
  tar.begin_file("b", 2000);
  tar.append("half");
  bytes.resize(tar.drop_file());
  tar.begin_file("c", 1);
  tar.append("c");
  tar.end_file();
  tar.finish();
  EXPECT_EQ(bytes.size() % 10240, 0U);
  EXPECT_EQ(bytes, [] {
    std::string same;
    TarWriter other(0, [&](std::string_view part) { same += part; });
    for (const auto& [name, content] : {std::pair{"a", "abc"}, std::pair{"c", "c"}}) {
      other.begin_file(name, std::string_view(content).size());
      other.append(content);
      other.end_file();
    }
    other.finish();
    return same;
  }());
}

TEST(TarWriter, SaysTheSizeOfALargeFileInAPaxHeader) {
  std::string bytes;
  TarWriter tar(0, [&](std::string_view part) { bytes += part; });
  const std::uint64_t size = std::uint64_t{1} << 33;
  tar.begin_file("large", size);
  ASSERT_EQ(bytes.size(), 3 * 512U);
  EXPECT_EQ(bytes[156], 'x');
  EXPECT_EQ(bytes.substr(512, 19), "19 size=8589934592\n");
  EXPECT_EQ(bytes[1024 + 156], '0');
}

}  // namespace
}  // namespace coppice::recovery
