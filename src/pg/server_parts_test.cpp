#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "base/error.h"
#include "base/files.h"
#include "base/process.h"
#include "pg/server_account.h"
#include "pg/server_binaries.h"
#include "pg/server_home.h"
#include "pg/server_process.h"
#include "pg/server_settings.h"
#include "pg/test_server.h"

namespace coppice::pg {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  ~Folder() { fs::remove_all(path); }
  fs::path path = make_reachable_folder();
};

// A program that answers --version like a server of that version.
void make_fake_server(const fs::path& folder, const std::string& version) {
  fs::create_directories(folder);
  for (const char* name : {"postgres", "initdb"}) {
    std::ofstream(folder / name) << "#!/bin/sh\necho 'postgres (PostgreSQL) " << version << "'\n";
    fs::permissions(folder / name, fs::perms::owner_all);
  }
}

TEST(ServerBinaries, TheInstalledServerIsFound) {
  const ServerBinaries binaries = choose_server_binaries(std::nullopt, std::nullopt);
  EXPECT_GE(binaries.major, 13);
  EXPECT_TRUE(fs::exists(binaries.initdb()));
}

TEST(ServerBinaries, TooOldOrAnotherVersionOrNoneIsRefusedWithTheFix) {
  const Folder folder;
  const auto failure = [&](const fs::path& configured, std::optional<int> data_major) {
    try {
      choose_server_binaries(configured, data_major);
    } catch (const Error& error) {
      EXPECT_FALSE(error.hint().empty());
      return error;
    }
    ADD_FAILURE();
    return Error(ErrorCode::kInternal, "");
  };
  make_fake_server(folder.path / "old", "12.3");
  EXPECT_EQ(failure(folder.path / "old", std::nullopt).code(), ErrorCode::kUnsupported);
  make_fake_server(folder.path / "new", "17.1 (Debian)");
  EXPECT_EQ(choose_server_binaries(folder.path / "new", std::nullopt).major, 17);
  const Error other = failure(folder.path / "new", 15);
  EXPECT_EQ(other.code(), ErrorCode::kUnsupported);
  EXPECT_NE(other.message().find("17.1"), std::string::npos);
  EXPECT_NE(other.hint().find("postgresql-15"), std::string::npos);
  EXPECT_EQ(failure(folder.path, std::nullopt).code(), ErrorCode::kNotFound);
}

TEST(ServerSettings, FitTheMachine) {
  constexpr std::uint64_t kGiB = 1 << 30;
  const std::string small = render_settings(
      {.machine = {kGiB / 2, 64 << 20, 2 * kGiB}, .major = 15, .socket_folder = "/run/x"});
  EXPECT_NE(small.find("shared_buffers = 64MB\n"), std::string::npos);
  EXPECT_NE(small.find("work_mem = 4MB\n"), std::string::npos);
  EXPECT_NE(small.find("max_wal_size = 512MB\n"), std::string::npos);
  EXPECT_NE(small.find("dynamic_shared_memory_type = mmap"), std::string::npos);
  EXPECT_EQ(small.find("fsync"), std::string::npos);
  const std::string large = render_settings({.machine = {64 * kGiB, 32 * kGiB, 900 * kGiB},
                                             .major = 13,
                                             .socket_folder = "/a, \"b\" 'c'",
                                             .durable = false,
                                             .further = {{"work_mem", "1GB"}}});
  EXPECT_NE(large.find("shared_buffers = 2048MB\n"), std::string::npos);
  EXPECT_NE(large.find("max_wal_size = 4096MB\n"), std::string::npos);
  EXPECT_NE(large.find("fsync = off"), std::string::npos);
  EXPECT_NE(large.find("'\"/a, \"\"b\"\" ''c''\"'"), std::string::npos);
  EXPECT_EQ(large.find("log_startup_progress_interval"), std::string::npos);  // new in 15
  EXPECT_GT(large.rfind("work_mem = '1GB'"), large.find("work_mem = 64MB"));
  EXPECT_GT(examine_machine("/tmp").memory_bytes, 64u << 20);
}

TEST(ServerSettings, TheMapAdmitsEachAccountToEachRole) {
  const std::string map = render_account_map({"root", "coppice"}, {"coppice", "reader"});
  EXPECT_NE(map.find("coppice \"root\" \"reader\"\n"), std::string::npos);
  EXPECT_NE(map.find("coppice \"coppice\" \"coppice\"\n"), std::string::npos);
  EXPECT_EQ(render_access().find("trust"), std::string::npos);
}

TEST(ServerProcess, ALivingNumberIsNotEnough) {
  const Folder folder;
  std::ofstream(folder.path / "postmaster.pid")
      << ::getpid() << "\n/data\n1\n5432\n/run/x\n\n 1 2\nready   \n";
  const auto file = read_postmaster_file(folder.path);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->pid, ::getpid());
  EXPECT_EQ(file->status, "ready");
  EXPECT_EQ(file->socket_folder, "/run/x");
  EXPECT_TRUE(is_running(file->pid));
  EXPECT_FALSE(serves(file->pid, folder.path));
  EXPECT_FALSE(read_postmaster_file(folder.path / "nothing"));
  std::ofstream(folder.path / "postmaster.pid") << "";
  EXPECT_FALSE(read_postmaster_file(folder.path));
}

TEST(ServerProcess, AZombieIsDead) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  for (int i = 0; i < 1000 && is_running(child); ++i) ::usleep(1000);
  EXPECT_EQ(::kill(child, 0), 0);  // the kernel still knows the number
  EXPECT_FALSE(is_running(child));
}

TEST(ServerProcess, AFailedStartIsExplained) {
  const auto code = [](const char* log) { return explain_failed_start(log, "/log").code(); };
  EXPECT_EQ(code("FATAL:  could not write lock file \"postmaster.pid\": No space left on device\n"),
            ErrorCode::kDiskFull);
  EXPECT_EQ(code("FATAL:  database files are incompatible with server\n"), ErrorCode::kUnsupported);
  EXPECT_EQ(code("PANIC:  could not locate a valid checkpoint record\n"), ErrorCode::kIntegrity);
  EXPECT_EQ(code("LOG:  unrecognized configuration parameter \"x\" in file\n"), ErrorCode::kUsage);
  const Error other = explain_failed_start("LOG:  a\nFATAL:  the reason\n", "/home/log");
  EXPECT_EQ(other.code(), ErrorCode::kUnavailable);
  EXPECT_NE(other.message().find("the reason"), std::string::npos);
  EXPECT_NE(other.hint().find("/home/log"), std::string::npos);
}

TEST(ServerHome, ALongOrOddPathGetsAShortSocketFolder) {
  const ServerHome near("/tmp/x");
  EXPECT_EQ(near.socket_folder(), "/tmp/x/run");
  const ServerHome same("/tmp/y/../x/");
  EXPECT_EQ(same.socket_folder(), "/tmp/x/run");
  if (::geteuid() == 0) ensure_account();
  for (const std::string& path :
       {"/tmp/" + std::string(120, 'l'), std::string("/tmp/with,comma")}) {
    const ServerHome home(path);
    EXPECT_LT(home.socket_file(home.socket_folder()).string().size(), 107u);
    EXPECT_EQ(home.socket_folder().string().find(','), std::string::npos);
    EXPECT_EQ(home.socket_folder(), ServerHome(path).socket_folder());
    EXPECT_NE(home.socket_folder(), ServerHome(path + "x").socket_folder());
  }
}

TEST(ServerHome, ASocketFolderThatSomebodyElseMadeIsRefused) {
  const Folder folder;
  const ServerHome home(folder.path / std::string(120, 'l'));
  home.prepare();
  const fs::path socket = home.socket_folder();
  if (::geteuid() == 0) {  // only root can play somebody else
    ASSERT_EQ(::mkdir(socket.c_str(), 0777), 0);
    ASSERT_EQ(::chown(socket.c_str(), 12345, 12345), 0);
    EXPECT_THROW(home.prepare_socket_folder(), Error);
    fs::remove(socket);
  }
  fs::create_symlink("/tmp", socket);
  EXPECT_THROW(home.prepare_socket_folder(), Error);
  fs::remove(socket);
  home.prepare_socket_folder();
  struct stat facts {};
  ASSERT_EQ(::lstat(socket.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0700u);
  EXPECT_EQ(facts.st_uid, home.account().uid);
  fs::remove_all(socket);
}

TEST(ServerHome, TheLogIsBounded) {
  const Folder folder;
  const ServerHome home(folder.path / "home");
  home.prepare();
  home.prepare_log_file();
  std::ofstream writer(home.log_file(), std::ios::app);
  writer << std::string(17 << 20, 'x') << std::flush;
  home.rotate_log();
  EXPECT_EQ(fs::file_size(home.log_file()), 0u);
  EXPECT_EQ(fs::file_size(home.log_file().string() + ".1"), 17u << 20);
  writer << "more" << std::flush;  // the server still writes to the same file
  home.rotate_log();
  EXPECT_EQ(read_file(home.log_file()), "more");
}

TEST(ServerAccount, EnsuringItTwiceIsHarmless) {
  if (::geteuid() != 0) {
    EXPECT_NO_THROW(ensure_account("root"));
    EXPECT_THROW(ensure_account("no-such-account-here"), Error);
    return;
  }
  ensure_account();
  ensure_account();
  EXPECT_TRUE(find_account(kServerAccount));
}

TEST(ServerAccount, AClosedFolderIsNamedWithItsModeAndTheFix) {
  if (::geteuid() == 0) ensure_account();
  const Account account = ::geteuid() == 0 ? *find_account(kServerAccount) : current_account();
  const Folder folder;
  const fs::path closed = folder.path / "closed";
  fs::create_directories(closed / "deep" / "home");
  ASSERT_EQ(::chmod(closed.c_str(), 0000), 0);
  EXPECT_EQ(first_closed_folder(closed / "deep" / "home", account), closed);
  EXPECT_EQ(first_closed_folder(folder.path, account), std::nullopt);
  try {
    require_reachable(closed / "deep" / "home", account);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kRefused);
    EXPECT_NE(error.message().find(closed.string() + " (mode 0000"), std::string::npos)
        << error.message();
    EXPECT_NE(error.hint().find(closed.string()), std::string::npos);
  }
  ASSERT_EQ(::chmod(closed.c_str(), 0700), 0);
}

}  // namespace
}  // namespace coppice::pg
