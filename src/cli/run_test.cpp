#include <gtest/gtest.h>

#include <fstream>

#include "cli/invoke.h"
#include "config/home.h"
#include "config/version.h"

namespace coppice::cli {
namespace {

namespace fs = std::filesystem;
using Calls = std::vector<std::string>;

class RunTest : public ::testing::Test {
 protected:
  RunTest() : scratch_(fs::temp_directory_path()) {}

  Outcome invoke_here(const std::vector<std::string>& arguments, const std::string& input = {},
                      const Environment& environment = {}) {
    return invoke(state_, arguments, input, environment);
  }
  std::string write(const std::string& name, const std::string& text) {
    write_file_atomically(scratch_.path() / name, text);
    return (scratch_.path() / name).string();
  }

  ScratchFolder scratch_;
  FakeState state_;
};

TEST_F(RunTest, SqlComesFromArgumentFileOrInput) {
  const std::string file = write("q.sql", "SELECT 2;");
  EXPECT_EQ(invoke_here({"sql", "SELECT 1", "-p", "a=x=y", "-p", "b="}).code, 0);
  EXPECT_EQ(invoke_here({"sql", "-f", file}).code, 0);
  EXPECT_EQ(invoke_here({"sql"}, "SELECT 3;").code, 0);
  EXPECT_EQ(invoke_here({"sql", "-f", "-"}, "SELECT 4;").code, 0);
  EXPECT_EQ(state_.calls,
            (Calls{"sql SELECT 1 $a=x=y $b=", "sql SELECT 2;", "sql SELECT 3;", "sql SELECT 4;"}));
}

TEST_F(RunTest, SqlRefusesWhatIsAmbiguous) {
  EXPECT_EQ(invoke_here({"sql", "SELECT 1", "-f", "x.sql"}).code, 2);
  EXPECT_EQ(invoke_here({"sql", "SELECT 1", "-p", "novalue"}).code, 2);
  EXPECT_EQ(invoke_here({"sql", "SELECT 1", "-p", "a=1", "-p", "a=2"}).code, 2);
  const Outcome missing = invoke_here({"sql", "-f", "/nowhere/q.sql"});
  EXPECT_EQ(missing.code, 4);
  EXPECT_NE(missing.errors.find("/nowhere/q.sql"), std::string::npos);
  EXPECT_TRUE(state_.calls.empty());
}

TEST_F(RunTest, EveryVerbReachesItsEngineCall) {
  const std::string schema = write("s.sql", "S");
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"ls"}, "ls -"},
      {{"ls", "films"}, "ls films"},
      {{"describe", "t"}, "describe t"},
      {{"history", "t"}, "history t"},
      {{"diff", "t", "1", "2", "--schema"}, "diff t 1 2 schema"},
      {{"revert", "t", "--to", "3", "--yes"}, "revert t 3"},
      {{"revert", "t", "--to", "3", "--dry-run"}, "revert t 3 dry"},
      {{"snapshot", "create", "t", "n"}, "snapshot_create t n"},
      {{"snapshot", "drop", "t", "n", "-y"}, "snapshot_drop t n"},
      {{"snapshot", "list"}, "snapshot_list -"},
      {{"snapshot", "list", "t"}, "snapshot_list t"},
      {{"prune", "t", "--yes"}, "prune t -"},
      {{"prune", "t", "--keep", "30 days", "--dry-run"}, "prune t 30 days dry"},
      {{"lineage", "t"}, "lineage t 0"},
      {{"lineage", "t", "--json"}, "lineage t 1"},
      {{"lineage", "t", "--format", "dot"}, "lineage t 2"},
      {{"errors"}, "errors -"},
      {{"recompute", "t", "a", "b", "--where", "id > 1", "--errors"},
       "recompute t [a,b] id > 1 errors"},
      {{"alter-column", "t.c", "a + 1"}, "alter_column t.c a + 1"},
      {{"jobs"}, "jobs"},
      {{"results"}, "results"},
      {{"results", "prune", "--stale", "--unused-for", "2 days", "--dry-run"},
       "results_prune - 2 days stale dry"},
      {{"results", "prune", "--function", "f", "--yes"}, "results_prune f -"},
      {{"results", "prune", "--all", "--yes"}, "results_prune - - all"},
      {{"jobs", "list", "--all"}, "jobs all"},
      {{"jobs", "resume", "7"}, "job resume 7"},
      {{"jobs", "discard", "7", "--yes"}, "job discard 7"},
      {{"functions"}, "functions"},
      {{"root"}, "root - -"},
      {{"root", "--table", "t", "--column", "c", "--rows"}, "root t c rows"},
      {{"root", "--rows", "--accept"}, "root - - rows accept"},
      {{"root", "--history", "--json"}, "root - - history"},
      {{"media", "path", "t.c"}, "media_path t.c"},
      {{"media", "export", "t.c", "out"}, "media_export t.c out"},
      {{"media", "gc", "--dry-run"}, "media_gc dry"},
      {{"media", "gc", "--yes"}, "media_gc"},
      {{"apply", schema}, "apply S"},
      {{"apply", schema, "--dry-run", "--prune"}, "apply S prune dry"},
      {{"apply", schema, "--prune", "--yes"}, "apply S prune"},
      {{"schema", "diff", schema, "--prune"}, "schema_diff S prune"},
      {{"export", "t:3"}, "export t:3"},
  };
  for (const auto& [arguments, call] : cases) {
    state_.calls.clear();
    const Outcome outcome = invoke_here(arguments);
    EXPECT_EQ(outcome.code, 0) << call << ": " << outcome.errors;
    EXPECT_EQ(state_.calls, Calls{call});
  }
}

TEST_F(RunTest, RootRefusesWhatDoesNotFitTogether) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"root", "--column", "c"},
        {"root", "--accept"},
        {"root", "--history", "--table", "t"}}) {
    EXPECT_EQ(invoke_here(arguments).code, 2) << arguments[1];
  }
  EXPECT_TRUE(state_.calls.empty());
}

TEST_F(RunTest, RootsThatDifferAreNamed) {
  state_.root_report.root = std::string(64, 'a');
  state_.root_report.differences = {"films.film.title", "films.log"};
  const Outcome outcome = invoke_here({"root", "--rows"});
  EXPECT_EQ(outcome.code, 6);
  EXPECT_EQ(outcome.output, std::string(64, 'a') + "\n");
  EXPECT_NE(outcome.errors.find("films.film.title, films.log"), std::string::npos);
  const Outcome accepted = invoke_here({"root", "--rows", "--accept"});
  EXPECT_EQ(accepted.code, 0);
  EXPECT_NE(accepted.errors.find("films.film.title"), std::string::npos);
}

TEST_F(RunTest, DestructionIsRefusedWhereNobodyCanBeAsked) {
  const std::string schema = write("s.sql", "S");
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"revert", "t", "--to", "3"},
        {"prune", "t"},
        {"snapshot", "drop", "t", "n"},
        {"jobs", "discard", "7"},
        {"results", "prune", "--all"},
        {"media", "gc"},
        {"apply", schema, "--prune"}}) {
    const Outcome outcome = invoke_here(arguments, "y\n");
    EXPECT_EQ(outcome.code, 5) << arguments[0];
    EXPECT_NE(outcome.errors.find("--yes"), std::string::npos) << outcome.errors;
    EXPECT_EQ(outcome.output, "");
  }
  EXPECT_TRUE(state_.calls.empty());
}

TEST_F(RunTest, WhatOneOfManyIsIsShownBeforeItGoes) {
  state_.give = [](ResultSink& sink) {
    const ResultColumn columns[] = {{"id", "text"}, {"snapshot", "text"}};
    sink.begin_rows(columns);
    for (const char* text : {"12-5", "12-6"}) {
      const std::optional<std::string_view> values[] = {text, text};
      sink.row(values);
    }
    sink.end_rows();
  };
  Outcome outcome = invoke_here({"jobs", "discard", "12-6", "--dry-run", "--csv"});
  EXPECT_EQ(outcome.output, "id,snapshot\n12-6,12-6\n");
  outcome = invoke_here({"snapshot", "drop", "t", "12-5", "--dry-run", "--csv"});
  EXPECT_EQ(outcome.output, "id,snapshot\n12-5,12-5\n");
  EXPECT_EQ(invoke_here({"jobs", "discard", "12-7", "--dry-run"}).code, 4);
  EXPECT_EQ(state_.calls, (std::vector<std::string>{"jobs", "snapshot_list t", "jobs"}));
}

TEST_F(RunTest, InsertFindsTheFormat) {
  const std::string csv = write("a.csv", "id\n1\n");
  const std::string jsonl = write("a.jsonl", "{\"id\":1}\n");
  const std::string other = write("a.txt", "id\n1\n");
  EXPECT_EQ(invoke_here({"insert", "t", "--from", csv}).code, 0);
  EXPECT_EQ(invoke_here({"insert", "t", "--from", jsonl}).code, 0);
  EXPECT_EQ(invoke_here({"insert", "t", "--from", other}).code, 2);
  EXPECT_EQ(invoke_here({"insert", "t", "--from", other, "--format", "csv"}).code, 0);
  EXPECT_EQ(invoke_here({"insert", "t", "--from", "-"}, "\n {\"id\":2}\n").code, 0);
  EXPECT_EQ(invoke_here({"insert", "t", "--from", "-"}, "id\n2\n").code, 0);
  EXPECT_EQ(
      invoke_here({"insert", "t", "--from", scratch_.path().string(), "--skip-bad-files"}).code, 0);
  EXPECT_EQ(invoke_here({"insert", "t", "--from", "/nowhere.csv"}).code, 4);
  EXPECT_EQ(invoke_here({"insert", "t"}).code, 2);
  EXPECT_EQ(
      invoke_here({"insert", "t", "--from", scratch_.path().string(), "--format", "csv"}).code, 2);
  EXPECT_EQ(state_.calls, (Calls{"insert t csv " + csv + " [id\n1\n]",
                                 "insert t jsonl " + jsonl + " [{\"id\":1}\n]",
                                 "insert t csv " + other + " [id\n1\n]",
                                 "insert t jsonl standard input [\n {\"id\":2}\n]",
                                 "insert t csv standard input [id\n2\n]",
                                 "insert t folder " + scratch_.path().string() + " [] skip"}));
}

TEST_F(RunTest, AFailedReadIsNotAnEndOfInput) {
  FakeFactory factory(state_);
  const FileDescriptor write_only(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  const FileDescriptor err(::memfd_create("err", MFD_CLOEXEC));
  const std::vector<std::string> arguments = {"insert", "t", "--from", "-", "--format", "csv"};
  const int code = run(arguments, factory, {write_only.get(), write_only.get(), err.get()},
                       {{"COPPICE_HOME", "/nonexistent"}});
  EXPECT_EQ(code, 1);
  EXPECT_NE(content_of(err.get()).find("read standard input"), std::string::npos);
  EXPECT_TRUE(state_.calls.empty());
}

TEST_F(RunTest, ExportWritesAWholeFileOrNone) {
  state_.give = [](ResultSink& sink) { give_rows(sink, {{"id", "bigint"}}, {{"1"}, {"2"}}); };
  const std::string file = (scratch_.path() / "out.jsonl").string();
  EXPECT_EQ(invoke_here({"export", "t", "-o", file}).code, 0);
  EXPECT_EQ(read_file(file), "{\"id\":1}\n{\"id\":2}\n");
  EXPECT_EQ(invoke_here({"export", "t", "-o", file, "--format", "csv"}).code, 0);
  EXPECT_EQ(read_file(file), "id\n1\n2\n");
  state_.give = [](ResultSink& sink) {
    give_rows(sink, {{"id", "bigint"}}, {{"3"}});
    throw Error(ErrorCode::kUnavailable, "the server is gone");
  };
  EXPECT_EQ(invoke_here({"export", "t", "-o", file}).code, 1);
  EXPECT_EQ(read_file(file), "id\n1\n2\n");
  EXPECT_EQ(std::distance(fs::directory_iterator(scratch_.path()), {}), 1);
  EXPECT_EQ(invoke_here({"export", "t", "-o", scratch_.path().string()}).code, 2);
  EXPECT_EQ(invoke_here({"export", "t", "-o", "/nowhere/x.csv"}).code, 4);
}

TEST_F(RunTest, SchemaDumpGoesToOutputOrFile) {
  EXPECT_EQ(invoke_here({"schema", "dump"}).output, state_.schema);
  const std::string file = (scratch_.path() / "s.sql").string();
  EXPECT_EQ(invoke_here({"schema", "dump", "-o", file}).output, "");
  EXPECT_EQ(read_file(file), state_.schema);
}

TEST_F(RunTest, TagsAreForPeopleAndEventsForPrograms) {
  state_.give = [](ResultSink& sink) {
    sink.done("INSERT 0 3", 4);
    give_rows(sink, {{"n", "integer"}}, {{"1"}});
    sink.done("SELECT 1", std::nullopt);
    sink.notice("look");
  };
  const Outcome people = invoke_here({"sql", "x"});
  EXPECT_EQ(people.output, "INSERT 0 3 (version 4)\n n\n---\n 1\n(1 row)\n");
  EXPECT_EQ(people.errors, "coppice: notice: look\n");
  const Outcome json = invoke_here({"sql", "x", "--json"});
  EXPECT_EQ(json.output, "{\"n\":1}\n");
  EXPECT_EQ(json.errors, "{\"done\":\"INSERT 0 3\",\"version\":4}\n{\"notice\":\"look\"}\n");
  EXPECT_EQ(invoke_here({"sql", "x", "--csv"}).output, "n\n1\n");
  const Outcome quiet = invoke_here({"sql", "x", "-q"});
  EXPECT_EQ(quiet.output, " n\n---\n 1\n");
  EXPECT_EQ(quiet.errors, "");
}

TEST_F(RunTest, ErrorsSayWhatAndWhatToDo) {
  state_.fail = [] {
    throw Error(ErrorCode::kNotFound, "there is no table \"x\"", "did you mean \"y\"?");
  };
  const Outcome text = invoke_here({"describe", "x"});
  EXPECT_EQ(text.code, 4);
  EXPECT_EQ(text.output, "");
  EXPECT_EQ(text.errors, "coppice: error: there is no table \"x\"\nhint: did you mean \"y\"?\n");
  const Outcome json = invoke_here({"describe", "x", "--json"});
  EXPECT_EQ(json.code, 4);
  EXPECT_EQ(json.errors,
            "{\"error\":{\"code\":\"not_found\",\"message\":\"there is no table \\\"x\\\"\","
            "\"hint\":\"did you mean \\\"y\\\"?\"}}\n");
  EXPECT_EQ(invoke_here({"describ", "--json"}).errors.find("{\"error\":{\"code\":\"usage\""), 0U);
}

TEST_F(RunTest, ExitCodesFollowTheErrorAndUnknownIsFailure) {
  for (const auto& [error, code] :
       std::vector<std::pair<ErrorCode, int>>{{ErrorCode::kRefused, 5},
                                              {ErrorCode::kIntegrity, 6},
                                              {ErrorCode::kPartlyDone, 3},
                                              {ErrorCode::kInterrupted, 130},
                                              {ErrorCode::kSyntax, 1}}) {
    state_.fail = [error = error] { throw Error(error, "x"); };
    EXPECT_EQ(invoke_here({"ls"}).code, code);
  }
  state_.fail = [] { throw std::runtime_error("surprise"); };
  const Outcome surprise = invoke_here({"ls"});
  EXPECT_EQ(surprise.code, 1);
  EXPECT_NE(surprise.errors.find("surprise"), std::string::npos);
}

TEST_F(RunTest, RowsBeforeAnErrorAreStillPrinted) {
  state_.give = [](ResultSink& sink) {
    give_rows(sink, {{"n", "integer"}}, {{"1"}});
    throw Error(ErrorCode::kUnavailable, "gone");
  };
  const Outcome outcome = invoke_here({"sql", "x", "--csv"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.output, "n\n1\n");
}

TEST_F(RunTest, ProgressIsJsonLinesWhenAskedForAndNeverOnStandardOutput) {
  state_.give = [](ResultSink& sink) {
    sink.progress({"filling", 1, 3});
    sink.progress({"filling", 2, 3});  // too soon after the first
    sink.progress({"filling", 3, 3});
  };
  const std::string lines =
      "{\"progress\":{\"what\":\"filling\",\"done\":1,\"total\":3}}\n"
      "{\"progress\":{\"what\":\"filling\",\"done\":3,\"total\":3}}\n";
  for (const char* option : {"--progress", "--json"}) {
    const Outcome outcome = invoke_here({"sql", "x", option});
    EXPECT_EQ(outcome.errors, lines) << option;
    EXPECT_EQ(outcome.output, "");
  }
  EXPECT_EQ(invoke_here({"sql", "x"}).errors, "");
}

TEST_F(RunTest, StatusIsOneObject) {
  state_.report.home = "/h";
  state_.report.database_url = "postgresql:///coppice?host=/h/run";
  state_.report.version = "1";
  state_.report.tables = 2;
  const Outcome json = invoke_here({"status", "--json"});
  EXPECT_EQ(
      json.output.find("{\"home\":\"/h\",\"database_url\":\"postgresql:///coppice?host=/h/run\","
                       "\"version\":\"1\""),
      0U);
  EXPECT_NE(json.output.find("\"private_server\":true,\"tables\":2,"), std::string::npos);
  EXPECT_EQ(std::count(json.output.begin(), json.output.end(), '\n'), 1);
  EXPECT_NE(invoke_here({"status"}).output.find("tables      2 with 0 rows"), std::string::npos);
  EXPECT_EQ(invoke_here({"status", "--csv"}).output.find("home,database_url,version"), 0U);
  EXPECT_NE(invoke_here({"status", "--csv"})
                .output.find(",interrupted_operations,stale_functions,spent,spent_today,"),
            std::string::npos);
}

TEST_F(RunTest, ABudgetIsSetBeforeTheVerbThatItIsFor) {
  invoke_here({"estimate", "UPDATE t SET a = 1", "--sample", "7", "--budget", "2"});
  EXPECT_EQ(state_.calls,
            (std::vector<std::string>{"set_budget 2", "estimate UPDATE t SET a = 1 7 [0]"}));
  state_.calls.clear();
  invoke_here({"jobs", "resume", "1-2", "--budget", "0.5"});
  EXPECT_EQ(state_.calls, (std::vector<std::string>{"set_budget 0.5", "job resume 1-2"}));
  EXPECT_EQ(invoke_here({"estimate", "UPDATE t SET a = 1", "--sample", "few"}).code, 2);
  state_.calls.clear();
  invoke_here({"spending", "--by", "day"});
  EXPECT_EQ(state_.calls, std::vector<std::string>{"spending day"});
  EXPECT_EQ(invoke_here({"spending", "--by", "moon"}).code, 2);
}

TEST_F(RunTest, DoctorFailsWhenACheckFails) {
  state_.findings = {{Finding::Level::kOk, "checksums", "on", ""}};
  EXPECT_EQ(invoke_here({"doctor"}).code, 0);
  state_.findings.push_back({Finding::Level::kWarning, "disk", "90 % full", "make room"});
  EXPECT_EQ(invoke_here({"doctor"}).code, 0);
  state_.findings.push_back({Finding::Level::kError, "sandbox", "missing", "upgrade"});
  const Outcome outcome = invoke_here({"doctor", "--json"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.output.find("{\"level\":\"error\",\"check\":\"sandbox\",\"found\":\"missing\","
                                "\"fix\":\"upgrade\"}"),
            std::string::npos);
}

TEST_F(RunTest, DoctorConfigShowsSourcesAndMasksPasswords) {
  write("config.toml", "[workers]\ncount = 3\n");
  const Outcome outcome =
      invoke_here({"doctor", "--config", "--csv", "--home", scratch_.path().string()}, "",
                  {{"COPPICE_DATABASE_URL", "postgresql://me:s3cret@h/d"}});
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_NE(outcome.output.find("database.url,postgresql://me:***@h/d,COPPICE_DATABASE_URL,"),
            std::string::npos);
  EXPECT_EQ(outcome.output.find("s3cret"), std::string::npos);
  EXPECT_NE(outcome.output.find("workers.count,3," + scratch_.path().string() + "/config.toml:2,"),
            std::string::npos);
  EXPECT_NE(outcome.output.find("media.validate,write,default,"), std::string::npos);
  EXPECT_EQ(state_.home, "") << "no engine is needed";
}

TEST_F(RunTest, ConfigWarningsAreShownAndErrorsStop) {
  write("config.toml", "[wrokers]\ncount = 3\n");
  const Outcome warned = invoke_here({"ls", "--home", scratch_.path().string()});
  EXPECT_EQ(warned.code, 0);
  EXPECT_EQ(state_.home, scratch_.path().string());
  EXPECT_NE(warned.errors.find("coppice: warning: "), std::string::npos);
  EXPECT_NE(warned.errors.find("workers.count"), std::string::npos);
  state_.calls.clear();
  EXPECT_EQ(invoke_here({"ls"}, "", {{"COPPICE_WORKERS_COUNT", "many"}}).code, 2);
  EXPECT_TRUE(state_.calls.empty());
}

TEST_F(RunTest, AHomeOfANewerFormatIsRefusedByEveryVerb) {
  write("format", std::to_string(kHomeFormat + 1));
  for (const char* verb : {"ls", "init", "status", "stop", "shell"}) {
    const Outcome outcome = invoke_here({verb, "--home", scratch_.path().string()});
    EXPECT_EQ(outcome.code, 1) << verb;
    EXPECT_NE(outcome.errors.find("format"), std::string::npos);
  }
  EXPECT_TRUE(state_.calls.empty());
}

TEST_F(RunTest, InitWritesTheSettingsAndSaysWhatIsNext) {
  const std::string home = (scratch_.path() / "my home").string();
  const Outcome outcome = invoke_here({"init", "--home", home});
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_NE(outcome.output.find("coppice status --home '" + home + "'"), std::string::npos);
  EXPECT_EQ(read_file(home + "/config.toml"), config_template());
  const std::string odd = (scratch_.path() / "it's").string();
  EXPECT_NE(invoke_here({"init", "--home", odd}).output.find("/it'\\''s'"), std::string::npos);
  EXPECT_EQ(invoke_here({"init", "--home", home, "--json"}).output.find("{\"home\":"), 0U);
}

TEST_F(RunTest, InitKeepsTheDatabaseForLaterCommands) {
  const std::string home = (scratch_.path() / "h").string();
  EXPECT_EQ(invoke_here({"init", "--home", home, "--database", "postgresql://h/d"}).code, 0);
  const Outcome shown = invoke_here({"doctor", "--config", "--csv", "--home", home});
  EXPECT_NE(shown.output.find("database.url,postgresql://h/d,"), std::string::npos);
  const Outcome same = invoke_here({"init", "--home", home, "--database", "postgresql://h/d"});
  EXPECT_EQ(same.errors, "");
  const Outcome again = invoke_here({"init", "--home", home, "--database", "postgresql://h/e"});
  EXPECT_NE(again.errors.find("was left alone"), std::string::npos);
}

TEST_F(RunTest, AFailedInitWritesNoSettings) {
  state_.fail = [] { throw Error(ErrorCode::kUnavailable, "no server"); };
  const std::string home = (scratch_.path() / "h").string();
  EXPECT_EQ(invoke_here({"init", "--home", home}).code, 1);
  EXPECT_FALSE(fs::exists(home));
}

TEST_F(RunTest, StopSaysWhetherAServerRan) {
  EXPECT_NE(invoke_here({"stop"}).output.find("is stopped"), std::string::npos);
  EXPECT_EQ(invoke_here({"stop", "--json"}).output, "{\"stopped\":false}\n");
}

TEST_F(RunTest, VersionAndHelpNeedNothing) {
  const std::string version = "coppice " + std::string(program_version()) + "\n";
  EXPECT_EQ(invoke_here({"--version"}).output, version);
  EXPECT_EQ(invoke_here({"version"}).output, version);
  EXPECT_NE(invoke_here({"revert", "--help"}).output.find("coppice revert films.film --to 3"),
            std::string::npos);
  EXPECT_EQ(invoke_here({"help", "nonsense"}).code, 4);
  EXPECT_EQ(invoke_here({"debug", "crash-points", "--csv"}).output.find("name,meaning\n"), 0U);
}

TEST_F(RunTest, LineageAndPathsArePlainText) {
  state_.give = [](ResultSink& sink) {
    give_rows(sink, {{"value", "text"}, {"path", "text"}}, {{"media:1", "/h/a b.jpg"}});
  };
  EXPECT_EQ(invoke_here({"media", "path", "t.c"}).output, "/h/a b.jpg\n");
  EXPECT_EQ(invoke_here({"media", "path", "t.c", "--json"}).output,
            "{\"value\":\"media:1\",\"path\":\"/h/a b.jpg\"}\n");
  state_.give = [](ResultSink& sink) {
    give_rows(sink, {{"lineage", "text"}}, {{"digraph {"}, {"}"}});
  };
  EXPECT_EQ(invoke_here({"lineage", "t", "--format", "dot"}).output, "digraph {\n}\n");
}

TEST_F(RunTest, MediaCatWritesTheBytesAlone) {
  state_.media = std::string("\0\xff\n", 3);
  EXPECT_EQ(invoke_here({"media", "cat", "media:1"}).output, state_.media);
}

TEST_F(RunTest, TableNamesForCompletionAreOnePerLine) {
  state_.give = [](ResultSink& sink) {
    give_rows(sink, {{"schema", "text"}, {"name", "text"}}, {{"films", "film"}, {"public", "t"}});
  };
  EXPECT_EQ(invoke_here({"debug", "table-names"}).output, "films.film\nt\n");
  state_.give = [](ResultSink& sink) { give_rows(sink, {{"name", "text"}}, {{"films.film"}}); };
  EXPECT_EQ(invoke_here({"debug", "table-names"}).output, "films.film\n");
}

}  // namespace
}  // namespace coppice::cli
