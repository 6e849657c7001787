#include "config/config.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "config/home.h"
#include "config/settings.h"

namespace coppice {
namespace {

namespace fs = std::filesystem;

class ConfigTest : public ::testing::Test {
 protected:
  ConfigTest() : scratch_(fs::temp_directory_path()) {}

  const fs::path& home() const { return scratch_.path(); }
  void write(const std::string& text, mode_t mode = 0600) {
    write_file_atomically(home() / "config.toml", text, mode);
  }
  Config load(Environment environment = {}, std::optional<std::string> url = std::nullopt) {
    return Config::load({home(), std::move(url), std::move(environment)});
  }
  Error load_error(Environment environment = {}) {
    try {
      load(std::move(environment));
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "no error";
    return {ErrorCode::kInternal, ""};
  }

  ScratchFolder scratch_;
};

TEST_F(ConfigTest, DefaultsHoldWithoutAFile) {
  const Config config = load();
  EXPECT_EQ(config.text("database.url"), "");
  EXPECT_EQ(config.text("media.validate"), "write");
  EXPECT_EQ(config.integer("workers.count"), 0);
  EXPECT_EQ(config.value("workers.count").origin, "default");
  EXPECT_TRUE(config.warnings().empty());
}

TEST_F(ConfigTest, EveryDefaultIsAllowedByItsOwnRule) {
  for (const Setting& setting : settings()) {
    EXPECT_EQ(refusal(setting, setting.default_value), std::nullopt) << setting.key;
    EXPECT_FALSE(setting.doc.empty()) << setting.key;
  }
}

TEST_F(ConfigTest, OptionBeatsEnvironmentBeatsFileBeatsDefault) {
  write("[workers]\ncount = 3\nmemory_mb = 512\n[database]\nurl = 'postgresql://file/x'\n");
  const Environment environment = {{"COPPICE_WORKERS_COUNT", "5"},
                                   {"COPPICE_DATABASE_URL", "postgresql://env/x"}};
  const Config config = load(environment, "postgresql://option/x");
  EXPECT_EQ(config.integer("workers.memory_mb"), 512);
  EXPECT_EQ(config.value("workers.memory_mb").origin, (home() / "config.toml").string() + ":3");
  EXPECT_EQ(config.integer("workers.count"), 5);
  EXPECT_EQ(config.value("workers.count").source, SettingSource::kEnvironment);
  EXPECT_EQ(config.text("database.url"), "postgresql://option/x");
  EXPECT_EQ(config.value("database.url").origin, "--database");
  EXPECT_EQ(config.integer("workers.timeout_s"), 120);
}

TEST_F(ConfigTest, TheHomeKnowsItsOriginToo) {
  EXPECT_EQ(load().home_origin(), "--home");
  EXPECT_EQ(Config::load({{}, {}, {{"COPPICE_HOME", "/x"}}}).home_origin(), "COPPICE_HOME");
  EXPECT_EQ(Config::load({{}, {}, {{"HOME", "/nonexistent"}}}).home_origin(), "default");
}

TEST_F(ConfigTest, AnEmptyVariableIsNotSet) {
  write("[workers]\ncount = 3\n");
  EXPECT_EQ(load({{"COPPICE_WORKERS_COUNT", ""}}).integer("workers.count"), 3);
}

TEST_F(ConfigTest, AnUnknownKeyIsAWarningThatNamesTheNearest) {
  write("[database]\n\nulr = 'x'\n[zebra]\nstripes = 7\n");
  const Config config = load();
  ASSERT_EQ(config.warnings().size(), 2U);
  EXPECT_NE(config.warnings()[0].find("config.toml:3"), std::string::npos);
  EXPECT_NE(config.warnings()[0].find("did you mean \"database.url\"?"), std::string::npos);
  EXPECT_NE(config.warnings()[1].find("zebra.stripes"), std::string::npos);
  EXPECT_EQ(config.warnings()[1].find("did you mean"), std::string::npos);
}

TEST_F(ConfigTest, ASlipInAVariableIsAWarning) {
  const Config config = load({{"COPPICE_WORKER_COUNT", "2"},
                              {"COPPICE_HOME", "/x"},
                              {"COPPICE_TEST", "1"},
                              {"COPPICE_SOMETHING_ELSE", "x"}});
  ASSERT_EQ(config.warnings().size(), 1U);
  EXPECT_NE(config.warnings()[0].find("did you mean COPPICE_WORKERS_COUNT?"), std::string::npos);
}

TEST_F(ConfigTest, AWrongTypeSaysFileLineAndWhatIsAllowed) {
  write("# a comment\n[workers]\ncount = 'four'\n");
  const Error error = load_error();
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_NE(error.message().find("config.toml:3: workers.count"), std::string::npos);
  EXPECT_NE(error.hint().find("an integer from 0 to 1024"), std::string::npos);
}

TEST_F(ConfigTest, AnImpossibleValueIsAnErrorWhereverItComesFrom) {
  write("[media]\nvalidate = 'sometimes'\n");
  EXPECT_NE(load_error().message().find(
                "config.toml:2: media.validate is 'sometimes' but must be 'write' or 'read'"),
            std::string::npos);
  write("[workers]\ncount = -1\n");
  EXPECT_NE(load_error().message().find("from 0 to 1024"), std::string::npos);
  write("");
  EXPECT_NE(load_error({{"COPPICE_WORKERS_COUNT", "2 or 3"}})
                .message()
                .find("COPPICE_WORKERS_COUNT: workers.count is '2 or 3'"),
            std::string::npos);
  EXPECT_NE(
      load_error({{"COPPICE_WORKERS_COUNT", "99999999999999999999"}}).message().find("must be"),
      std::string::npos);
}

TEST_F(ConfigTest, BrokenTomlSaysLineAndColumn) {
  write("[database]\nurl = \n");
  const Error error = load_error();
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_NE(error.message().find("config.toml:2:"), std::string::npos) << error.message();
}

TEST_F(ConfigTest, AServerFolderWithoutAServerIsAnError) {
  write("[database]\nserver_bin = '/nowhere/bin'\n");
  EXPECT_NE(
      load_error().message().find("no program postgres in database.server_bin '/nowhere/bin'"),
      std::string::npos);
  write("[database]\nserver_bin = 'bin'\n");
  EXPECT_NE(load_error().message().find("the absolute path of a folder"), std::string::npos);
}

TEST_F(ConfigTest, TwoSettingsThatContradictEachOtherAreAnError) {
  for (const char* name : {"postgres", "initdb"}) {
    write_file_atomically(home() / name, "#!/bin/sh\n", 0755);
  }
  write("[database]\nurl = 'postgresql://h/x'\nserver_bin = '" + home().string() + "'\n");
  EXPECT_NE(load_error().message().find("cannot be obeyed"), std::string::npos);
  write("[database]\nserver_bin = '" + home().string() + "'\n");
  EXPECT_EQ(load({}, "postgresql://once/x").text("database.url"), "postgresql://once/x");
}

TEST_F(ConfigTest, RetentionIsACountOrAnAge) {
  for (const char* good :
       {"1", "10", "12 hours", "1 day", "30 days", "2weeks", "6 Months", "1 year"}) {
    EXPECT_TRUE(is_retention(good)) << good;
  }
  for (const char* bad :
       {"", "0", "-1", "ten", "5 lightyears", "days", "1.5 days", "99999999999999999999"}) {
    EXPECT_FALSE(is_retention(bad)) << bad;
  }
  write("[retention]\nkeep = 10\n");
  EXPECT_EQ(load().text("retention.keep"), "10");
}

TEST_F(ConfigTest, AScheduleIsInWordsThatAreKnown) {
  write("[schedule]\nbackup = 'daily 02:30'\ndrill = 'quarterly'\nverify_parts = 7\n");
  EXPECT_EQ(load().text("schedule.backup"), "daily 02:30");
  EXPECT_EQ(load().integer("schedule.verify_parts"), 7);
  EXPECT_EQ(load().text("schedule.prune"), "");
  write("[schedule]\nbackup = 'nightly'\n");
  EXPECT_NE(load_error().message().find("schedule.backup is 'nightly' but must be a period"),
            std::string::npos);
  EXPECT_NE(load_error().message().find("weekly sun 03:00"), std::string::npos);
}

TEST_F(ConfigTest, ADurationHasAUnit) {
  write("[objectives]\nrto = '10 minutes'\n");
  EXPECT_EQ(load().text("objectives.rto"), "10 minutes");
  EXPECT_EQ(load({{"COPPICE_OBJECTIVES_RTO", "2 hours"}}).text("objectives.rto"), "2 hours");
  write("[objectives]\nrto = '10'\n");
  EXPECT_NE(load_error().message().find("'10' but must be a duration"), std::string::npos);
  write("[objectives]\nrto = 10\n");
  EXPECT_NE(load_error().hint().find("a duration"), std::string::npos);
}

TEST(MaskPassword, HidesItInEveryForm) {
  EXPECT_EQ(mask_password("postgresql://me:s3cret@host/db"), "postgresql://me:***@host/db");
  EXPECT_EQ(mask_password("postgresql://me:p@ss@host:5432/db"), "postgresql://me:***@host:5432/db");
  EXPECT_EQ(mask_password("postgresql://host/db?user=me&password=s3cret&x=1"),
            "postgresql://host/db?user=me&password=***&x=1");
  EXPECT_EQ(mask_password("host=h password=s3cret dbname=d"), "host=h password=*** dbname=d");
  EXPECT_EQ(mask_password("host=h password='a \\' b' dbname=d"), "host=h password=*** dbname=d");
  EXPECT_EQ(mask_password("postgresql://host:5432/db"), "postgresql://host:5432/db");
  EXPECT_EQ(mask_password("host=h dbname=d"), "host=h dbname=d");
}

TEST_F(ConfigTest, AReadableFileWithAPasswordIsAWarning) {
  write("[database]\nurl = 'postgresql://me:pw@host/db'\n", 0644);
  ASSERT_EQ(load().warnings().size(), 1U);
  EXPECT_NE(load().warnings()[0].find("chmod 600"), std::string::npos);
  write("[database]\nurl = 'postgresql://me:pw@host/db'\n", 0600);
  EXPECT_TRUE(load().warnings().empty());
}

TEST_F(ConfigTest, TheTemplateSetsNothingAndNamesEverything) {
  ASSERT_TRUE(write_config_template(home()));
  struct stat facts {};
  ASSERT_EQ(::stat((home() / "config.toml").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
  const Config config = load();
  EXPECT_TRUE(config.warnings().empty());
  const std::string text = read_file(home() / "config.toml");
  for (const Setting& setting : settings()) {
    EXPECT_EQ(config.value(setting.key).source, SettingSource::kDefault) << setting.key;
    EXPECT_NE(text.find(environment_name(setting.key)), std::string::npos) << setting.key;
  }
  EXPECT_FALSE(write_config_template(home(), "postgresql://other/x"));
  EXPECT_EQ(load().text("database.url"), "");
}

TEST_F(ConfigTest, EveryCommentedSettingOfTheTemplateCanBeTurnedOn) {
  std::string text;
  for (const std::string& line : split(config_template(), '\n')) {
    const bool setting = line.starts_with("# ") && line.find(" = ") != std::string::npos;
    text += (setting ? line.substr(2) : line) + "\n";
  }
  write(text);
  const Config config = load();
  for (const Setting& setting : settings()) {
    EXPECT_EQ(config.value(setting.key).source, SettingSource::kFile) << setting.key;
    EXPECT_EQ(config.text(setting.key), setting.default_value) << setting.key;
  }
}

TEST_F(ConfigTest, TheTemplateKeepsADatabaseUrl) {
  ASSERT_TRUE(write_config_template(home(), "host=h password='a\"b\\c'"));
  EXPECT_EQ(load().text("database.url"), "host=h password='a\"b\\c'");
}

TEST(Home, IsResolvedInOrder) {
  const Environment environment = {{"COPPICE_HOME", "/from/env/"}, {"HOME", "/home/u"}};
  EXPECT_EQ(resolve_home("/given", environment), "/given");
  EXPECT_EQ(resolve_home("relative/../x", environment), fs::current_path() / "x");
  EXPECT_EQ(resolve_home(std::nullopt, environment), "/from/env");
  const fs::path usual = resolve_home(std::nullopt, {{"HOME", "/home/u"}});
  EXPECT_EQ(usual, ::geteuid() == 0 ? "/var/lib/coppice" : "/home/u/.coppice");
  EXPECT_THROW(resolve_home("", environment), Error);
}

TEST(Home, OfANewerFormatIsRefused) {
  const ScratchFolder home(fs::temp_directory_path());
  EXPECT_EQ(home_format(home.path()), std::nullopt);
  EXPECT_NO_THROW(check_home_format(home.path()));
  write_home_format(home.path());
  EXPECT_EQ(home_format(home.path()), kHomeFormat);
  EXPECT_NO_THROW(check_home_format(home.path()));
  write_file_atomically(home.path() / "format", std::to_string(kHomeFormat + 1) + "\n");
  try {
    check_home_format(home.path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNewerFormat);
  }
  write_file_atomically(home.path() / "format", "one\n");
  try {
    check_home_format(home.path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIntegrity);
  }
}

}  // namespace
}  // namespace coppice
