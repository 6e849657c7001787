#include "cli/command_line.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "cli/verb_functions.h"

namespace coppice::cli {
namespace {

Invocation parse(const std::vector<std::string>& words) { return parse_command_line(words); }

Error parse_error(const std::vector<std::string>& words) {
  try {
    parse(words);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    return error;
  }
  ADD_FAILURE() << "no error";
  return {ErrorCode::kInternal, ""};
}

TEST(CommandLine, EveryVerbHasAFunctionAnExampleAndADescribedOption) {
  for (const Verb& verb : verbs()) {
    EXPECT_NE(find_verb_function(verb.name), nullptr) << verb.name;
    EXPECT_FALSE(verb.examples.empty()) << verb.name;
    EXPECT_FALSE(verb.summary.empty()) << verb.name;
    for (const Option& option : verb.options) EXPECT_FALSE(option.doc.empty()) << option.name;
  }
}

TEST(CommandLine, WhateverDestroysCanBeTriedAndConfirmedBeforehand) {
  for (const char* name :
       {"revert", "prune", "apply", "snapshot drop", "jobs discard", "media gc", "results prune"}) {
    std::set<std::string_view> options;
    for (const Option& option : find_verb(name)->options) options.insert(option.name);
    EXPECT_TRUE(options.contains("--yes") && options.contains("--dry-run")) << name;
  }
}

TEST(CommandLine, OptionsStandBeforeOrAfterTheVerbAndItsArguments) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--home", "/h", "revert", "t", "--to", "3", "--json"},
        {"revert", "--json", "--to=3", "--home=/h", "t"},
        {"--json", "revert", "t", "--to", "3", "--home", "/h"}}) {
    const Invocation invocation = parse(words);
    EXPECT_EQ(invocation.verb().name, "revert");
    EXPECT_EQ(invocation.argument("TABLE"), "t");
    EXPECT_EQ(invocation.value("--to"), "3");
    EXPECT_EQ(invocation.value("--home"), "/h");
    EXPECT_TRUE(invocation.has("--json"));
    EXPECT_FALSE(invocation.has("--csv"));
  }
}

TEST(CommandLine, ParametersRepeatAndTakeOneWordEach) {
  const Invocation invocation =
      parse({"sql", "-p", "a=1", "-p", "b=x y", "--param", "c=[1,2]", "-p", "d=-5", "SELECT $a"});
  EXPECT_EQ(invocation.all("--param"),
            (std::vector<std::string>{"a=1", "b=x y", "c=[1,2]", "d=-5"}));
  EXPECT_EQ(invocation.value("SQL"), "SELECT $a");
  EXPECT_EQ(parse({"sql", "SELECT 1", "-p", "e="}).all("--param"),
            (std::vector<std::string>{"e="}));
}

TEST(CommandLine, ValuesMayBeginWithADashOrBeEmpty) {
  EXPECT_EQ(parse({"recompute", "t", "--where", "-x > 1"}).value("--where"), "-x > 1");
  EXPECT_EQ(parse({"recompute", "t", "--where", ""}).value("--where"), "");
  EXPECT_EQ(parse({"insert", "t", "--from", "-"}).value("--from"), "-");
  EXPECT_EQ(parse({"apply", "-"}).argument("FILE"), "-");
  EXPECT_EQ(parse({"alter-column", "t.c", "--", "-x"}).argument("EXPRESSION"), "-x");
}

TEST(CommandLine, SqlMayBeginWithAComment) {
  EXPECT_EQ(parse({"sql", "-- find them\nSELECT 1", "--json"}).value("SQL"),
            "-- find them\nSELECT 1");
  EXPECT_TRUE(parse({"sql", "-- find them\nSELECT 1", "--json"}).has("--json"));
  EXPECT_EQ(parse({"sql", "--none\nSELECT 1"}).value("SQL"), "--none\nSELECT 1");
  EXPECT_EQ(parse({"sql", "[1]"}).value("SQL"), "[1]");
}

TEST(CommandLine, RepeatedArgumentsAreCollected) {
  const Invocation invocation = parse({"recompute", "t", "a", "b", "--errors"});
  EXPECT_EQ(invocation.all("COLUMN"), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(parse({"recompute", "t"}).all("COLUMN").empty());
}

TEST(CommandLine, AGroupMayStandForItsDefault) {
  EXPECT_EQ(parse({"jobs"}).verb().name, "jobs list");
  EXPECT_EQ(parse({"results"}).verb().name, "results list");
  EXPECT_EQ(parse({"jobs", "--all"}).verb().name, "jobs list");
  EXPECT_EQ(parse({"jobs", "resume", "7"}).argument("ID"), "7");
  EXPECT_EQ(parse({}).verb().name, "help");
  EXPECT_EQ(parse({"--version"}).verb().name, "version");
}

TEST(CommandLine, HelpIsUnderstoodAnywhere) {
  const auto about = [](const std::vector<std::string>& words) {
    const Invocation invocation = parse(words);
    EXPECT_EQ(invocation.verb().name, "help");
    return invocation.all("COMMAND");
  };
  EXPECT_EQ(about({"--help"}), std::vector<std::string>());
  EXPECT_EQ(about({"revert", "--help"}), std::vector<std::string>{"revert"});
  EXPECT_EQ(about({"--help", "revert"}), std::vector<std::string>{"revert"});
  EXPECT_EQ(about({"revert", "t", "-h"}), std::vector<std::string>{"revert"});
  EXPECT_EQ(about({"schema", "--help"}), std::vector<std::string>{"schema"});
  EXPECT_EQ(about({"schema", "dump", "--help"}), (std::vector<std::string>{"schema", "dump"}));
  EXPECT_EQ(parse({"sql", "--param", "--help", "x"}).verb().name, "sql");
}

TEST(CommandLine, UnknownWordsNameTheNearest) {
  EXPECT_EQ(parse_error({"revrt", "t"}).hint(), "did you mean \"revert\"?");
  EXPECT_EQ(parse_error({"schema", "dmup"}).hint(), "did you mean \"dump\"?");
  EXPECT_NE(parse_error({"schema"}).message().find("dump, diff"), std::string::npos);
  const Error option = parse_error({"revert", "t", "--dryrun"});
  EXPECT_EQ(option.message(), "revert has no option --dryrun");
  EXPECT_EQ(option.hint(), "did you mean \"--dry-run\"?");
  EXPECT_NE(parse_error({"xyzzy"}).hint().find("coppice help"), std::string::npos);
}

TEST(CommandLine, MissingOrSurplusWordsAreErrors) {
  EXPECT_EQ(parse_error({"revert"}).message(), "revert needs TABLE");
  EXPECT_EQ(parse_error({"revert", "t"}).message(), "revert needs --to VERSION");
  EXPECT_EQ(parse_error({"insert", "t", "--from"}).message(), "insert needs SOURCE behind --from");
  EXPECT_EQ(parse_error({"diff", "t", "1"}).message(), "diff needs B");
  EXPECT_NE(parse_error({"ls", "a", "b"}).message().find("\"b\""), std::string::npos);
  EXPECT_NE(parse_error({"revert", "t", "--to"}).message().find("--to"), std::string::npos);
  EXPECT_NE(parse_error({"revert", "t", "--to", "1", "--to", "2"}).message().find("--to"),
            std::string::npos);
  EXPECT_NE(parse_error({"--home", "/h"}).message().find("no command"), std::string::npos);
}

TEST(CommandLine, ChoicesAreChecked) {
  const Error error = parse_error({"export", "t", "--format", "jsnl"});
  EXPECT_NE(error.message().find("csv, jsonl"), std::string::npos);
  EXPECT_EQ(error.hint(), "did you mean \"jsonl\"?");
  EXPECT_NE(parse_error({"ls", "--json", "--csv"}).message().find("exclude"), std::string::npos);
}

}  // namespace
}  // namespace coppice::cli
