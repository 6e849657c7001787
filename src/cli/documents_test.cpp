#include "cli/documents.h"

#include <gtest/gtest.h>

#include <chrono>

#include "base/error.h"
#include "base/files.h"
#include "base/process.h"
#include "cli/verbs.h"
#include "config/settings.h"

namespace coppice::cli {
namespace {

namespace fs = std::filesystem;

RunResult run_with(const std::vector<std::string>& argv) {
  return run_program({.argv = argv, .environment = {{"LC_ALL", "C.UTF-8"}}},
                     std::chrono::seconds(30));
}

bool is_installed(const std::string& program) {
  return run_with({"/bin/sh", "-c", "command -v " + program}).status.ok();
}

TEST(Help, ShowsEveryVerbOnceAndHidesTheHidden) {
  const std::string overview = help_text("");
  for (const Verb& verb : verbs()) {
    const bool shown = overview.find("\n  " + std::string(verb.name) + " ") != std::string::npos;
    EXPECT_EQ(shown, !verb.hidden) << verb.name;
  }
}

TEST(Help, OfAVerbShowsItsOptionsAndExamples) {
  for (const Verb& verb : verbs()) {
    const std::string page = help_text(verb.name);
    for (const Option& option : verb.options) {
      EXPECT_NE(page.find(option.name), std::string::npos) << verb.name;
    }
    for (const Example& example : verb.examples) {
      EXPECT_NE(page.find(example.command), std::string::npos) << verb.name;
    }
  }
  EXPECT_NE(help_text("snapshot").find("snapshot create"), std::string::npos);
  EXPECT_THROW(help_text("snap"), Error);
}

TEST(ManPage, NamesEveryVerbAndSetting) {
  const std::string page = man_page();
  for (const Verb& verb : verbs()) {
    if (verb.hidden) continue;
    std::string name(verb.name);
    for (std::size_t at = 0; (at = name.find('-', at)) != std::string::npos; at += 2)
      name.insert(at, "\\");
    EXPECT_NE(page.find(".SS coppice " + name), std::string::npos) << verb.name;
  }
  for (const Setting& setting : settings()) {
    EXPECT_NE(page.find(environment_name(setting.key)), std::string::npos) << setting.key;
  }
}

TEST(ManPage, IsCorrectTroff) {
  if (!is_installed("groff")) GTEST_SKIP() << "groff is not installed";
  const ScratchFolder scratch(fs::temp_directory_path());
  const fs::path file = scratch.path() / "coppice.1";
  write_file_atomically(file, man_page());
  const RunResult result = run_with({"groff", "-man", "-Tutf8", "-ww", "-k", file.string()});
  EXPECT_TRUE(result.status.ok());
  EXPECT_EQ(result.errors, "");
  EXPECT_NE(result.output.find("coppice revert films.film"), std::string::npos);
}

class CompletionTest : public ::testing::Test {
 protected:
  CompletionTest() : scratch_(fs::temp_directory_path()) {
    for (const char* shell : {"bash", "zsh", "fish"}) {
      write_file_atomically(path(shell), completion_script(shell));
    }
    write_file_atomically(scratch_.path() / "coppice",
                          "#!/bin/sh\n[ \"$*\" = 'debug table-names' ] && echo films.film\n"
                          "[ \"$*\" = '--home /h debug table-names' ] && echo elsewhere.t\n",
                          0755);
  }
  std::string path(const std::string& name) { return (scratch_.path() / name).string(); }

  // What bash offers for the last of `words`, one a line.
  std::string offered(const std::string& words) {
    const std::string script = "PATH=" + scratch_.path().string() + ":$PATH; source " +
                               path("bash") + "; compopt() { :; }; COMP_WORDS=(" + words +
                               "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _coppice; "
                               "printf '%s\\n' \"${COMPREPLY[@]}\"";
    const RunResult result = run_with({"bash", "-c", script});
    EXPECT_EQ(result.errors, "");
    return "\n" + result.output;
  }

  ScratchFolder scratch_;
};

TEST_F(CompletionTest, BashOffersVerbsOptionsTablesChoicesAndFiles) {
  EXPECT_EQ(offered("coppice rev"), "\nrevert\n");
  EXPECT_EQ(offered("coppice snapshot ''"), "\ncreate\ndrop\nlist\n");
  EXPECT_EQ(offered("coppice revert fil"), "\nfilms.film\n");
  EXPECT_EQ(offered("coppice --home /h revert ''"), "\nelsewhere.t\n");
  EXPECT_EQ(offered("coppice revert t --dr"), "\n--dry-run\n");
  EXPECT_EQ(offered("coppice export t --format ''"), "\ncsv\njsonl\n");
  EXPECT_EQ(offered("coppice jobs resume ''"), "\n\n");
  EXPECT_NE(offered("coppice apply " + path("ba")).find("/bash\n"), std::string::npos);
  EXPECT_NE(offered("coppice sql -f " + path("ba")).find("/bash\n"), std::string::npos);
  EXPECT_EQ(offered("coppice ''").find("\ndebug\n"), std::string::npos);
  EXPECT_NE(offered("coppice help sch").find("\nschema\n"), std::string::npos);
}

TEST_F(CompletionTest, ZshReadsItsScript) {
  if (!is_installed("zsh")) GTEST_SKIP() << "zsh is not installed";
  // compadd and compdef only exist inside completion: these say what would be offered.
  const std::string script = "compdef() { :; }; compadd() { shift; print -l -- \"$@\"; }; path=(" +
                             scratch_.path().string() + " $path); source " + path("zsh") +
                             "; _coppice_offer 'x' snapshot; _coppice_offer '' revert; "
                             "_coppice_offer '--d' media gc";
  const RunResult result = run_with({"zsh", "-f", "-c", script});
  EXPECT_EQ(result.errors, "");
  EXPECT_EQ(result.output.find("create\ndrop\nlist\nfilms.film\n--dry-run\n--yes\n"), 0U)
      << result.output;
}

TEST_F(CompletionTest, FishReadsItsScript) {
  if (!is_installed("fish")) GTEST_SKIP() << "fish is not installed";
  const std::string script =
      "set PATH " + scratch_.path().string() + " $PATH; source " + path("fish") +
      "; complete -C 'coppice snapshot ' ; complete -C 'coppice revert fil'; "
      "complete -C 'coppice export t --format '";
  const RunResult result = run_with({"fish", "--no-config", "-c", script});
  EXPECT_EQ(result.errors, "");
  for (const char* word : {"create\t", "drop\t", "list\t", "films.film", "csv\t", "jsonl\t"}) {
    EXPECT_NE(result.output.find(word), std::string::npos) << word << " in " << result.output;
  }
}

}  // namespace
}  // namespace coppice::cli
