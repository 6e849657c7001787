// The verbs about schedules: what they ask for, and how they end.
#include <gtest/gtest.h>

#include "base/files.h"
#include "cli/invoke.h"

namespace coppice::cli {
namespace {

struct ScheduleVerbs : testing::Test {
  FakeState state;

  Outcome run(const std::vector<std::string>& arguments, const Environment& more = {}) {
    Environment environment = {{"COPPICE_BACKUP_REPOSITORY", "/r"}};
    environment.insert(more.begin(), more.end());
    return invoke(state, arguments, {}, environment);
  }
  void was(const std::string& task, const std::string& outcome, const std::string& what,
           ErrorCode code = ErrorCode::kComputation) {
    state.schedule_report.runs.push_back({task, outcome, what, code, 1.5});
  }
};

TEST_F(ScheduleVerbs, RunDoesWhatIsDueOrNamed) {
  EXPECT_EQ(run({"schedule", "run"}).code, 0);
  EXPECT_EQ(state.calls.back(), "schedule_run /r (no key) []");
  EXPECT_EQ(run({"schedule", "run", "verify", "drill"}).code, 0);
  EXPECT_EQ(state.calls.back(), "schedule_run /r (no key) [verify,drill]");
  EXPECT_EQ(run({"schedule", "run", "lunch"}).code, 2);
  EXPECT_EQ(run({"schedule"}).code, 0);
  EXPECT_EQ(state.calls.back(), "schedule_show");
}

TEST_F(ScheduleVerbs, NothingToDoIsSaidToPeopleAlone) {
  state.schedule_report.next_task = "backup";
  state.schedule_report.next_at = "2026-11-24T02:30:00Z";
  EXPECT_NE(run({"schedule", "run"}).output.find("next: backup at 2026-11-24T02:30:00Z"),
            std::string::npos);
  EXPECT_EQ(run({"schedule", "run", "--quiet"}).output, "");
  EXPECT_EQ(run({"schedule", "run", "--json"}).output, "");
}

TEST_F(ScheduleVerbs, ASecondRunIsNoFailure) {
  state.schedule_report.is_busy = true;
  const Outcome outcome = run({"schedule", "run"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.output, "");
  EXPECT_NE(outcome.errors.find("another process"), std::string::npos) << outcome.errors;
}

TEST_F(ScheduleVerbs, TheExitCodeSaysHowMuchFailed) {
  was("backup", "done", "backup 3f2a");
  EXPECT_EQ(run({"schedule", "run"}).code, 0);
  EXPECT_NE(run({"schedule", "run"}).output.find("backup 3f2a"), std::string::npos);
  EXPECT_EQ(run({"schedule", "run", "--quiet"}).output, "");
  was("forget", "failed", "no rules");
  const Outcome some = run({"schedule", "run", "--json"});
  EXPECT_EQ(some.code, 3);
  EXPECT_NE(some.output.find(R"("task":"forget","outcome":"failed")"), std::string::npos)
      << some.output;
  EXPECT_NE(some.errors.find("forget: no rules"), std::string::npos) << some.errors;
  was("verify", "failed", "damaged", ErrorCode::kIntegrity);
  EXPECT_EQ(run({"schedule", "run"}).code, 6);
  state.schedule_report.runs.clear();
  was("backup", "failed", "gone", ErrorCode::kUnavailable);
  EXPECT_EQ(run({"schedule", "run"}).code, 1);
  state.schedule_report.runs.clear();
  was("backup", "partly", "lacks media", ErrorCode::kPartlyDone);
  EXPECT_EQ(run({"schedule", "run"}).code, 3);
}

TEST_F(ScheduleVerbs, AKeyFileOfTheSettingsComesBeforeAPassphrase) {
  const ScratchFolder folder("/tmp");
  const std::string file = (folder.path() / "key").string();
  write_file_atomically(file, "bytes");
  const Environment keys = {{"COPPICE_BACKUP_KEY_FILE", file}, {"COPPICE_REPO_PASSWORD", "p"}};
  EXPECT_EQ(run({"schedule", "run"}, keys).code, 0);
  EXPECT_EQ(state.calls.back(), "schedule_run /r (key file bytes) []");
  EXPECT_EQ(run({"backup", "list", "--password-command", "echo 'said'"}, keys).code, 0);
  EXPECT_EQ(state.calls.back(), "backup_list /r (passphrase said)");
}

TEST_F(ScheduleVerbs, MissedObjectivesFailStatus) {
  EXPECT_EQ(run({"status"}).code, 0);
  state.report.backups.missed = {"objectives.backup_every is 1 day: never"};
  const Outcome outcome = run({"status", "--json"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.output.find(R"("objectives_missed":["objectives.backup_every)"),
            std::string::npos)
      << outcome.output;
  EXPECT_NE(outcome.errors.find("objectives are missed"), std::string::npos) << outcome.errors;
}

}  // namespace
}  // namespace coppice::cli
