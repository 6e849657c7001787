// Settings and code that are not those that were backed up are named.
#include "recovery/restored_files.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/sha256.h"

namespace coppice::recovery {
namespace {

using Names = std::vector<std::string>;

struct RestoredFiles : testing::Test {
  const ScratchFolder home{std::filesystem::temp_directory_path()};
  const std::string text = "# mine\nworkers.timeout_s = 77\nmedia.validate = 'read'\n";

  nlohmann::json digests() {
    write_file_atomically(home.path() / "config.toml", text);
    return config_digests(text, home.path());
  }
};

TEST_F(RestoredFiles, TheSameSettingsHaveNotChanged) {
  EXPECT_EQ(changed_settings(digests(), text), Names());
  // A backup of before there were digests.
  EXPECT_EQ(changed_settings({{"size", 3}}, "workers.timeout_s = 1\n"), Names());
}

TEST_F(RestoredFiles, AChangedSettingIsNamed) {
  std::string other = text;
  other.replace(other.find("77"), 2, "78");
  EXPECT_EQ(changed_settings(digests(), other), Names{"config.toml: workers.timeout_s"});
  other += "retention.keep = 3\n";
  EXPECT_EQ(changed_settings(digests(), other),
            (Names{"config.toml: retention.keep", "config.toml: workers.timeout_s"}));
  EXPECT_EQ(changed_settings(digests(), ""),
            (Names{"config.toml: media.validate", "config.toml: workers.timeout_s"}));
}

TEST_F(RestoredFiles, WhatIsNoSettingIsNamedToo) {
  EXPECT_EQ(changed_settings(digests(), "# Mine" + text.substr(6)),
            Names{"config.toml: its text, but no setting"});
  const Names broken = changed_settings(digests(), "workers.timeout_s = [");
  ASSERT_EQ(broken.size(), 1U);
  EXPECT_TRUE(broken[0].starts_with("config.toml: ")) << broken[0];
}

TEST_F(RestoredFiles, SecretsAreNotDigested) {
  write_file_atomically(home.path() / "config.toml", "database.url = 'postgresql://me:pw@h/d'\n");
  EXPECT_TRUE(config_digests("", home.path()).at("settings").empty());
}

TEST_F(RestoredFiles, CodeLiesBelowItsDigest) {
  const std::string bytes = "def f(): pass\n";
  const std::string digest = to_hex(sha256(std::string("f.py") + '\0' + bytes));
  const auto folder = home.path() / digest;
  std::filesystem::create_directory(folder);
  const nlohmann::json code = {{{"path", digest + "/f.py"}}};
  EXPECT_EQ(changed_code(code, home.path()), Names{"functions/" + digest + "/f.py"});
  write_file_atomically(folder / "f.py", bytes);
  EXPECT_EQ(changed_code(code, home.path()), Names());
  const nlohmann::json more = {
      {{"path", digest + "/f.py"}}, {{"path", digest + "/f.py.orig"}}, {{"path", "notes/x"}}};
  EXPECT_EQ(changed_code(more, home.path()), Names());
  write_file_atomically(folder / "f.py", bytes + "\n");
  EXPECT_EQ(changed_code(code, home.path()), Names{"functions/" + digest + "/f.py"});
}

}  // namespace
}  // namespace coppice::recovery
