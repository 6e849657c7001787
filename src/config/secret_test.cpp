// References to secrets: every form, and that no message repeats what must not be seen.
#include "config/secret.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/files.h"
#include "config/settings.h"

namespace coppice {
namespace {

constexpr const char* kCanary = "sk-canary-7f3a9";

Error error_of(Secrets& secrets, const std::string& reference) {
  try {
    secrets.resolve(reference);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "it was resolved";
  return Error(ErrorCode::kInternal, "");
}

TEST(Secrets, ComeFromTheEnvironmentAFileOrAProgram) {
  const ScratchFolder folder(std::filesystem::temp_directory_path());
  const std::string file = folder.path() / "key";
  write_file_atomically(file, "from a file\n", 0600);
  Secrets secrets({{"KEY", kCanary}, {"EMPTY", ""}});
  EXPECT_EQ(secrets.resolve("env:KEY"), kCanary);
  EXPECT_EQ(secrets.resolve("file:" + file), "from a file");
  EXPECT_EQ(secrets.resolve("cmd:printf '%s-%s' a \"b c\""), "a-b c");
  EXPECT_TRUE(secrets.is_there("env:KEY"));
  EXPECT_FALSE(secrets.is_there("env:EMPTY"));
  EXPECT_FALSE(secrets.is_there("env:NONE"));
}

TEST(Secrets, AreResolvedOnce) {
  const ScratchFolder folder(std::filesystem::temp_directory_path());
  const std::string file = folder.path() / "key";
  write_file_atomically(file, "first", 0600);
  Secrets secrets({});
  EXPECT_EQ(secrets.resolve("file:" + file), "first");
  write_file_atomically(file, "second", 0600);
  EXPECT_EQ(secrets.resolve("file:" + file), "first");
}

TEST(Secrets, AFileThatOthersCanReadIsRefused) {
  const ScratchFolder folder(std::filesystem::temp_directory_path());
  const std::string file = folder.path() / "key";
  write_file_atomically(file, kCanary, 0640);
  Secrets secrets({});
  const Error error = error_of(secrets, "file:" + file);
  EXPECT_EQ(error.code(), ErrorCode::kRefused);
  EXPECT_NE(error.hint().find("chmod 600"), std::string::npos);
  ASSERT_EQ(::chmod(file.c_str(), 0600), 0);
  EXPECT_EQ(secrets.resolve("file:" + file), kCanary);
}

TEST(Secrets, NoMessageRepeatsOne) {
  const ScratchFolder folder(std::filesystem::temp_directory_path());
  const std::string file = folder.path() / "key";
  write_file_atomically(file, std::string(kCanary) + "\nsecond line", 0600);
  Secrets secrets({{"KEY", std::string(kCanary) + "\x01"}});
  const std::string printing = "cmd:sh -c 'echo sk-canary-7f3a9; exit 3'";
  for (const std::string& reference :
       {std::string(kCanary), "env:" + std::string(kCanary), std::string("env:KEY"), "file:" + file,
        "file:" + std::string(kCanary), printing, std::string("cmd:'sk-canary-7f3a9"),
        std::string("cmd:"), std::string("env:NONE"), std::string("file:/none/there")}) {
    const Error error = error_of(secrets, reference);
    EXPECT_EQ((error.message() + error.hint()).find(kCanary), std::string::npos)
        << error.message() << error.hint();
    EXPECT_EQ(printable_reference(reference).find(kCanary), std::string::npos);
  }
}

TEST(Secrets, TextsAreFiltered) {
  Secrets secrets({{"KEY", kCanary}, {"ONE", "x"}});
  EXPECT_EQ(secrets.filtered("sk-canary-7f3a9"), kCanary);  // nobody has resolved it
  secrets.resolve("env:KEY");
  secrets.resolve("env:ONE");
  EXPECT_EQ(secrets.filtered("key sk-canary-7f3a9, again sk-canary-7f3a9x"), "key ***, again ***x");
}

TEST(Secrets, SettingsTakeReferencesOnlyAndShowNoOther) {
  const Setting& key = *find_setting("services.openai.key");
  EXPECT_EQ(refusal(key, "env:MY_KEY"), std::nullopt);
  const auto literal = refusal(key, kCanary);
  ASSERT_TRUE(literal);
  EXPECT_EQ(literal->find(kCanary), std::string::npos) << *literal;
  EXPECT_NE(literal->find("env:NAME"), std::string::npos) << *literal;
  EXPECT_EQ(masked(key, "cmd:pass show sk-canary-7f3a9"), "cmd:pass …");
  EXPECT_TRUE(refusal(*find_setting("services.openai.base_url"), "ftp://x"));
}

}  // namespace
}  // namespace coppice
