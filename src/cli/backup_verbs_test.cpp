// The verbs about backups: what they ask for, with which key, and how they end.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/files.h"
#include "cli/invoke.h"

namespace coppice::cli {
namespace {

struct BackupVerbs : testing::Test {
  FakeState state;
  const Environment password = {{"COPPICE_REPO_PASSWORD", "from the environment"}};

  Outcome run(const std::vector<std::string>& arguments) {
    return invoke(state, arguments, {}, password);
  }
};

TEST_F(BackupVerbs, TheKeyComesFromTheEnvironmentUnlessAnotherIsNamed) {
  EXPECT_EQ(run({"backup", "list", "--repo", "/r"}).code, 0);
  EXPECT_EQ(state.calls.back(), "backup_list /r (passphrase from the environment)");

  const ScratchFolder folder("/tmp");
  const std::string file = (folder.path() / "key").string();
  write_file_atomically(file, "from a file\n");
  run({"backup", "list", "--repo", "/r", "--password-file", file});
  EXPECT_EQ(state.calls.back(), "backup_list /r (passphrase from a file)");
  run({"backup", "list", "--repo", "/r", "--password-command", "echo 'from a program'"});
  EXPECT_EQ(state.calls.back(), "backup_list /r (passphrase from a program)");
  run({"backup", "list", "--repo", "/r", "--key-file", file});
  EXPECT_EQ(state.calls.back(), "backup_list /r (key file from a file\n)");
  run({"backup", "list", "--repo", "/r", "--no-encryption"});
  EXPECT_EQ(state.calls.back(), "backup_list /r (no key, plain)");
}

TEST_F(BackupVerbs, SecretsAreNotTakenFromWhereOthersReadThem) {
  const ScratchFolder folder("/tmp");
  const std::string file = (folder.path() / "key").string();
  write_file_atomically(file, "from a file\n", 0644);
  const Outcome outcome = run({"backup", "list", "--repo", "/r", "--password-file", file});
  EXPECT_EQ(outcome.code, 5) << outcome.errors;
  EXPECT_TRUE(state.calls.empty());
  EXPECT_EQ(outcome.errors.find("from a file"), std::string::npos);
}

TEST_F(BackupVerbs, SeveralKeysAreRefused) {
  const Outcome outcome =
      run({"backup", "list", "--repo", "/r", "--password-file", "a", "--key-file", "b"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.errors.find("several keys"), std::string::npos) << outcome.errors;
}

TEST_F(BackupVerbs, ABackupWithoutSomeObjectsIsPartlyDone) {
  state.backup_report.id = std::string(64, 'a');
  state.backup_report.damaged = {"media:x.jpg: cannot be read"};
  const Outcome outcome = run({"backup", "create", "--repo", "/r", "--tag", "t", "--json"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_NE(outcome.errors.find("media:x.jpg"), std::string::npos) << outcome.errors;
  EXPECT_NE(outcome.output.find(R"("damaged":["media:x.jpg: cannot be read"])"), std::string::npos)
      << outcome.output;
  EXPECT_EQ(state.calls.back(), "backup_create /r (passphrase from the environment) [t]");
}

TEST_F(BackupVerbs, ARestoreThatDiffersSaysWhere) {
  state.restore_report.backup = std::string(64, 'b');
  state.restore_report.equal = false;
  state.restore_report.differences = {"films.film.title"};
  const Outcome outcome = run({"restore", "--repo", "/r", "--home", "/nonexistent/h"});
  EXPECT_EQ(outcome.code, 6);
  EXPECT_NE(outcome.errors.find("films.film.title"), std::string::npos) << outcome.errors;
  EXPECT_EQ(run({"restore", "--repo", "/r", "--at", "2026-01-01", "--backup", "aaaa"}).code, 2);
}

TEST_F(BackupVerbs, OtherDataIsNamedByItsOptions) {
  const std::string place = "/r (passphrase from the environment)";
  EXPECT_EQ(run({"backup", "create", "--repo", "/r", "--pg-dump", "postgresql:///shop", "--files",
                 "/a", "--files", "/b", "/c", "--exclude", "*.tmp", "--tag", "t"})
                .code,
            0);
  EXPECT_EQ(state.calls.back(),
            "backup_create_other " + place + " postgresql:///shop [/a,/b,/c] [*.tmp] [t]");
  state.other_restore_report.equal = true;
  EXPECT_EQ(run({"restore", "--repo", "/r", "--to-files", "/d", "--at", "2026-01-01"}).code, 0);
  EXPECT_EQ(state.calls.back(), "restore_other " + place + " - 2026-01-01 /d -");
  EXPECT_EQ(run({"restore", "--repo", "/r", "--to-files", "/d", "--table", "t"}).code, 2);
  const Outcome outcome = run({"backup", "create", "--repo", "/r", "/a"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.errors.find("--files"), std::string::npos) << outcome.errors;
}

TEST_F(BackupVerbs, TheAddressOfADatabaseMayBeASecret) {
  const ScratchFolder folder("/tmp");
  const std::string file = (folder.path() / "url").string();
  write_file_atomically(file, "postgresql://u:secret@host/shop\n");
  run({"backup", "create", "--repo", "/r", "--pg-dump", "file:" + file});
  EXPECT_NE(state.calls.back().find(" postgresql://u:secret@host/shop ["), std::string::npos);
  EXPECT_EQ(run({"backup", "create", "--repo", "/r", "--pg-dump", "env:NOT_SET"}).code, 4);
}

TEST_F(BackupVerbs, FilesThatCouldNotBeReadAreNamed) {
  state.other_backup_report.damaged = {"/a/b: Permission denied"};
  Outcome outcome = run({"backup", "create", "--repo", "/r", "--files", "/a"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_NE(outcome.errors.find("/a/b: Permission denied"), std::string::npos) << outcome.errors;
  state.other_restore_report.differences = {"/a"};
  outcome = run({"restore", "--repo", "/r", "--to-files", "/d"});
  EXPECT_EQ(outcome.code, 6);
}

TEST_F(BackupVerbs, WhatVerifyFindsIsNamed) {
  state.verify_report.backups = 2;
  state.verify_report.findings = {{"packs/ab", "it is damaged"}};
  state.verify_report.affected = {"x"};
  const Outcome outcome = run({"backup", "verify", "--repo", "/r", "--part", "2/7"});
  EXPECT_EQ(outcome.code, 6);
  EXPECT_NE(outcome.errors.find("packs/ab: it is damaged"), std::string::npos) << outcome.errors;
  EXPECT_EQ(state.calls.back(), "backup_verify /r (passphrase from the environment) data 1 1/7 -");
  for (const char* const wrong : {"0/7", "8/7", "7", "a/b", "1/0"}) {
    EXPECT_EQ(run({"backup", "verify", "--repo", "/r", "--part", wrong}).code, 2) << wrong;
  }
  EXPECT_EQ(run({"backup", "verify", "--repo", "/r", "--share", "0%"}).code, 2);
}

TEST_F(BackupVerbs, ForgettingIsConfirmed) {
  const Outcome refused = run({"backup", "forget", "--keep-last", "3", "--repo", "/r"});
  EXPECT_EQ(refused.code, 5);
  EXPECT_NE(run({"backup", "forget", "--keep-last", "x", "--repo", "/r", "--yes"}).code, 0);
  const Outcome done = run({"backup", "forget", "--keep-last", "3", "--repo", "/r", "--yes"});
  EXPECT_EQ(done.code, 0) << done.errors;
  EXPECT_EQ(state.calls.back(),
            "backup_forget /r (passphrase from the environment) [] 3 0 0 0 0 0 - []");
}

TEST_F(BackupVerbs, ADrillFailsLoudly) {
  state.drill_report.restore.equal = true;
  EXPECT_EQ(run({"drill", "--repo", "/r", "--rto", "5"}).code, 0);
  state.drill_report.missed = {"the time to recover of 5.0 s: 9.0 s were measured"};
  const Outcome late = run({"drill", "--repo", "/r", "--rto", "5", "--json"});
  EXPECT_EQ(late.code, 1);
  EXPECT_NE(late.output.find(R"("objectives_met":false)"), std::string::npos) << late.output;
  state.drill_report.restore.equal = false;
  EXPECT_EQ(run({"drill", "--repo", "/r"}).code, 6);
  state.drill_report.failure = Error(ErrorCode::kNotFound, "packs/ab is gone");
  const Outcome lost = run({"drill", "--repo", "/r"});
  EXPECT_EQ(lost.code, 6);
  EXPECT_NE(lost.errors.find("packs/ab is gone"), std::string::npos) << lost.errors;
  EXPECT_EQ(run({"drill", "--repo", "/r", "--at", "2026-01-01", "--backup", "random"}).code, 2);
}

TEST_F(BackupVerbs, ADrillsReportIsWrittenInTheFormsThatAreAskedFor) {
  state.drill_report.restore.equal = true;
  state.drill_report.json = "json";
  state.drill_report.html = "html";
  const ScratchFolder folder("/tmp");
  const auto there = [&](const std::string& name) {
    const auto file = folder.path() / name;
    return std::filesystem::exists(file) ? read_file(file) : "";
  };
  run({"drill", "--repo", "/r", "--report", (folder.path() / "both").string()});
  EXPECT_EQ(there("both.json") + there("both.html"), "jsonhtml");
  run({"drill", "--repo", "/r", "--report", (folder.path() / "one.html").string()});
  EXPECT_EQ(there("one.html") + there("one.html.json") + there("one.json"), "html");
  run({"drill", "show", "ab12", "--repo", "/r", "--report", (folder.path() / "a.json").string()});
  EXPECT_EQ(there("a.json"), "json\n");
  EXPECT_EQ(run({"drill", "show", "ab12", "--repo", "/r"}).output, "json\n");
}

TEST_F(BackupVerbs, AReportIsCheckedWithAKeyFromElsewhere) {
  const ScratchFolder folder("/tmp");
  const std::string file = (folder.path() / "report.json").string();
  write_file_atomically(file, "a report");
  EXPECT_EQ(run({"drill", "verify", file}).code, 2);
  EXPECT_EQ(run({"drill", "verify", file, "--repo", "/r", "--public-key", "ab"}).code, 2);
  EXPECT_TRUE(state.calls.empty());
  EXPECT_EQ(run({"drill", "verify", file, "--repo", "/r"}).code, 0);
  EXPECT_EQ(state.calls.back(), "drill_verify a report - /r (passphrase from the environment)");
  EXPECT_EQ(run({"drill", "verify", file, "--public-key", "ab"}).code, 0);
  EXPECT_EQ(state.calls.back(), "drill_verify a report ab -");
  EXPECT_EQ(run({"drill", "verify", file + "x", "--public-key", "ab"}).code, 4);
  EXPECT_EQ(run({"drill", "key", "--repo", "/r"}).output, std::string(64, 'd') + "\n");
  EXPECT_EQ(run({"drill", "frobnicate"}).code, 2);
}

TEST_F(BackupVerbs, ADrillsObjectivesAreThoseOfTheCommandElseOfTheSettings) {
  const Environment settings = {{"COPPICE_OBJECTIVES_RTO", "10 minutes"},
                                {"COPPICE_OBJECTIVES_RPO", "1 day"}};
  const auto drill = [&](const std::vector<std::string>& options, const Environment& environment) {
    std::vector<std::string> words = {"drill", "--repo", "/r", "--no-encryption"};
    words.insert(words.end(), options.begin(), options.end());
    state.drill_report.restore.equal = true;
    return invoke(state, words, {}, environment).code == 0 ? state.calls.back() : "failed";
  };
  EXPECT_EQ(drill({}, {}), "drill /r (no key, plain) - - - -1 -1");
  EXPECT_EQ(drill({}, settings), "drill /r (no key, plain) - - - 600 86400");
  EXPECT_EQ(drill({"--rto", "0.5", "--rpo", "2 hours"}, settings),
            "drill /r (no key, plain) - - - 0.5 7200");
  for (const char* wrong : {"0", "-1", "soon", "nan", "inf", "1 moon"}) {
    EXPECT_EQ(run({"drill", "--repo", "/r", "--rto", wrong}).code, 2) << wrong;
  }
}

TEST_F(BackupVerbs, PartsAreRestoredAndPlansAreMade) {
  const std::string place = "/r (passphrase from the environment) ";
  const auto call = [&](const std::vector<std::string>& arguments) {
    std::vector<std::string> words = {"restore", "--repo", "/r"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    state.calls.clear();
    const int code = run(words).code;
    return code == 0 ? state.calls.at(0) : std::to_string(code);
  };
  EXPECT_EQ(call({"--table", "a.b:3", "--as", "c", "--at", "2026-01-01"}),
            "restore_table " + place + "- 2026-01-01 a.b:3 c");
  EXPECT_EQ(call({"--table", "t", "--as", "c", "--backup", "abcd", "--dry-run"}),
            "restore_table " + place + "abcd - t c dry");
  EXPECT_EQ(call({"--table", "a.b:3", "--where", "id < 3", "--into", "a.c", "--columns", "d, \"E\"",
                  "--columns", "f"}),
            "rescue " + place + "- a.b:3 a.c [id < 3] d, \"E\",f");
  EXPECT_EQ(call({"--table", "t", "--where", "true", "--into", "t", "--dry-run"}),
            "rescue " + place + "- t t [true]  dry");
  for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{
           {"--table", "t", "--into", "t"},
           {"--where", "true", "--into", "t"},
           {"--table", "t", "--where", "true"},
           {"--table", "t", "--as", "u", "--columns", "a"},
           {"--table", "t", "--where", "true", "--into", "t", "--as", "u"}}) {
    EXPECT_EQ(call(wrong), "2");
  }
  EXPECT_EQ(call({"--media-only"}), "restore_media " + place + "- -");
  EXPECT_EQ(call({"--dry-run", "--home", "/nonexistent/h", "--backup", "abcd"}),
            "plan_restore " + place + "/nonexistent/h abcd -");
  EXPECT_EQ(call({"--table", "t"}), "2");
  EXPECT_EQ(call({"--as", "t"}), "2");
  EXPECT_EQ(call({"--table", "t", "--as", "u", "--media-only"}), "2");
  EXPECT_EQ(call({"--media-only", "--database", "postgresql:///x"}), "2");
  EXPECT_EQ(call({"--media-only", "--backup", "abcd", "--at", "2026-01-01"}), "2");
}

TEST_F(BackupVerbs, AnExportNeedsAFolder) {
  EXPECT_EQ(run({"backup", "export", "--repo", "/r"}).code, 2);
  EXPECT_EQ(run({"backup", "export", "--repo", "/r", "--to", "/x"}).code, 0);
  EXPECT_EQ(state.calls.back(), "backup_export /r (passphrase from the environment) latest /x");
  state.export_report.damaged = {"media:x.jpg: is gone"};
  const Outcome outcome =
      run({"backup", "export", "abcd", "--repo", "/r", "--to", "/x", "--history"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_NE(outcome.errors.find("media:x.jpg"), std::string::npos) << outcome.errors;
  EXPECT_EQ(state.calls.back(),
            "backup_export /r (passphrase from the environment) abcd /x history");
}

TEST_F(BackupVerbs, RootsOfABackupNeedNoHome) {
  state.root_report.root = std::string(64, 'a');
  const Outcome outcome = run({"root", "--backup", "latest", "--repo", "/r", "--table", "t"});
  EXPECT_EQ(outcome.output, std::string(64, 'a') + "\n");
  EXPECT_EQ(state.calls.back(), "roots /r (passphrase from the environment) latest t -");
  EXPECT_EQ(run({"root", "--backup", "latest", "--repo", "/r", "--rows"}).code, 2);
}

TEST_F(BackupVerbs, CatPrintsTheBytes) {
  const Outcome outcome = run({"backup", "cat", "abcd:media/x.jpg", "--repo", "/r"});
  EXPECT_EQ(outcome.output, state.media);
  EXPECT_EQ(run({"backup", "cat", "abcd", "--repo", "/r"}).code, 2);
}

TEST_F(BackupVerbs, ACopyHasTheSameKeyUnlessItsOwnIsNamed) {
  EXPECT_EQ(run({"backup", "copy", "--repo", "/r", "--to", "/t"}).code, 0);
  EXPECT_EQ(state.calls.back(),
            "backup_copy /r (passphrase from the environment) to /t (passphrase from the "
            "environment) []");
  const ScratchFolder folder("/tmp");
  const std::string file = (folder.path() / "key").string();
  write_file_atomically(file, "from a file");
  run({"backup", "copy", "--repo", "/r", "--to", "/t", "--to-key-file", file, "--backup", "3f2a"});
  EXPECT_EQ(state.calls.back(),
            "backup_copy /r (passphrase from the environment) to /t (key file from a file) own "
            "[3f2a]");
  run({"backup", "copy", "--repo", "/r", "--to", "/t", "--to-no-encryption"});
  EXPECT_EQ(state.calls.back(),
            "backup_copy /r (passphrase from the environment) to /t (no key, plain) own []");
  const Outcome several = run({"backup", "copy", "--to", "/t", "--to-no-encryption",
                               "--to-key-file", file, "--repo", "/r"});
  EXPECT_EQ(several.code, 2) << several.errors;
  state.copy_report.failed = {{"the backup 3f2a", "packs/ab is damaged"}};
  const Outcome damaged = run({"backup", "copy", "--repo", "/r", "--to", "/t", "--json"});
  EXPECT_EQ(damaged.code, 6);
  EXPECT_NE(damaged.errors.find("packs/ab is damaged"), std::string::npos);
}

TEST_F(BackupVerbs, WhatIsLeftDamagedIsNamed) {
  EXPECT_EQ(run({"backup", "repair", "--repo", "/r"}).code, 0);
  EXPECT_EQ(state.calls.back(), "backup_repair /r (passphrase from the environment) from -");
  state.repair_report.left = {{"packs/ab", "it is missing"}};
  state.repair_report.repaired = {{"packs/cd", "copied from the folder /m"}};
  const Outcome outcome = run({"backup", "repair", "--repo", "/r", "--from", "/m"});
  EXPECT_EQ(outcome.code, 6);
  EXPECT_NE(outcome.errors.find("packs/ab: it is missing"), std::string::npos) << outcome.errors;
  EXPECT_NE(outcome.errors.find("repaired packs/cd"), std::string::npos) << outcome.errors;
}

TEST_F(BackupVerbs, ASuspectBackupIsMadeAndSaid) {
  state.backup_report.id = std::string(64, 'a');
  state.backup_report.suspect = {"90 % of the rows of public.film were changed"};
  const Outcome outcome = run({"backup", "create", "--repo", "/r", "--json"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.errors.find("backup confirm aaaaaaaaaaaa"), std::string::npos)
      << outcome.errors;
  EXPECT_NE(outcome.output.find(R"("suspect":["90 %)"), std::string::npos) << outcome.output;
}

TEST_F(BackupVerbs, ConfirmingAsks) {
  EXPECT_NE(run({"backup", "confirm", "3f2a", "--repo", "/r"}).code, 0);
  EXPECT_TRUE(state.calls.empty());
  EXPECT_EQ(run({"backup", "confirm", "3f2a", "--repo", "/r", "--note", "so", "--yes"}).code, 0);
  EXPECT_EQ(state.calls.back(), "backup_confirm /r (passphrase from the environment) 3f2a \"so\"");
}

TEST_F(BackupVerbs, AnAssertionIsSqlOrAFile) {
  const ScratchFolder folder("/tmp");
  const std::string file = (folder.path() / "claims.sql").string();
  write_file_atomically(file, "SELECT 1");
  run({"backup", "bisect", "--repo", "/r", "--assert", file, "--table", "film"});
  EXPECT_EQ(state.calls.back(),
            "backup_bisect /r (passphrase from the environment) \"SELECT 1\" film - -");
  run({"backup", "bisect", "--repo", "/r", "--assert", "SELECT true", "--good", "3f2a"});
  EXPECT_EQ(state.calls.back(),
            "backup_bisect /r (passphrase from the environment) \"SELECT true\" - 3f2a -");
}

}  // namespace
}  // namespace coppice::cli
