#include "pg/private_server.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "pg/connection.h"
#include "pg/probe.h"
#include "pg/server_account.h"
#include "pg/server_process.h"
#include "pg/test_server.h"

namespace coppice::pg {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

template <typename Callable>
Error failure_of(Callable&& callable) {
  try {
    callable();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error(ErrorCode::kInternal, "");
}

class PrivateServerTest : public testing::Test {
 protected:
  ~PrivateServerTest() override {
    for (const fs::path& home : homes_) {
      for (const pid_t pid : find_server_processes(home / "pgdata")) ::kill(pid, SIGKILL);
      while (!find_server_processes(home / "pgdata").empty()) std::this_thread::sleep_for(5ms);
    }
    fs::remove_all(folder_);
  }

  PrivateServer server(const std::string& name = "home", bool durable = false) {
    PrivateServerOptions options;
    options.home = folder_ / name;
    options.durable = durable;
    options.settings = {{"shared_buffers", "32MB"}};
    options.roles = {"reader"};
    options.progress = [this](const std::string& what) { progress_.push_back(what); };
    homes_.push_back(options.home);
    return PrivateServer(options);
  }

  // A home whose data was made once and copied: what initialise() gives, only quicker.
  PrivateServer initialised(const std::string& name = "home", bool durable = false) {
    static const std::unique_ptr<Template> original = std::make_unique<Template>();
    PrivateServer server = this->server(name, durable);
    server.home().prepare();
    const RunResult copied =
        run_program({.argv = {"cp", "-a", original->server.home().data().string(),
                              server.home().data().string()}},
                    60s);
    EXPECT_TRUE(copied.status.ok()) << copied.errors;
    return server;
  }

  static std::int64_t one(const PrivateServer& server) {
    return Connection::connect(server.conninfo()).exec("SELECT 1").integer(0, 0);
  }

  static void kill_hard(const PrivateServer& server) {
    const pid_t pid = server.status().pid;
    ASSERT_GT(pid, 0);
    ASSERT_EQ(::kill(pid, SIGKILL), 0);
    while (is_running(pid)) std::this_thread::sleep_for(1ms);
  }

  struct Template {
    Template() { server.initialise(); }
    ~Template() { fs::remove_all(folder); }
    fs::path folder = make_reachable_folder();
    PrivateServer server{{.home = folder / "home", .roles = {"reader"}, .durable = false}};
  };

  fs::path folder_ = make_reachable_folder();
  std::vector<fs::path> homes_;
  std::vector<std::string> progress_;
};

TEST_F(PrivateServerTest, IsMadeStartedFoundRunningAndStopped) {
  PrivateServer server = this->server("home", true);
  EXPECT_EQ(server.status().state, ServerState::kNotInitialised);
  EXPECT_EQ(failure_of([&] { server.start(); }).code(), ErrorCode::kNotFound);
  EXPECT_FALSE(server.stop());
  EXPECT_TRUE(server.initialise());
  EXPECT_FALSE(server.initialise());
  EXPECT_EQ(server.status().state, ServerState::kDown);
  EXPECT_FALSE(server.stop());
  server.start();
  EXPECT_EQ(server.status().state, ServerState::kReady);

  Connection connection = Connection::connect(server.conninfo());
  const ServerFacts facts = probe(connection);
  EXPECT_TRUE(facts.data_checksums && facts.is_superuser && facts.local);
  EXPECT_EQ(facts.role, "coppice");
  EXPECT_EQ(facts.database, "coppice");
  EXPECT_EQ(facts.encoding, "UTF8");
  EXPECT_EQ(connection.exec("SHOW listen_addresses").text(0, 0), "");
  EXPECT_EQ(connection.exec("SHOW fsync").text(0, 0), "on");
  EXPECT_EQ(connection.exec("SHOW shared_buffers").text(0, 0), "32MB");

  // Another process finds it running, at once.
  PrivateServer second = this->server("home", true);
  const auto begin = SteadyClock::now();
  second.start();
  EXPECT_LT(SteadyClock::now() - begin, 100ms);  // 10 ms where nothing else runs
  EXPECT_EQ(second.status().pid, server.status().pid);
  EXPECT_TRUE(second.stop());
  EXPECT_EQ(server.status().state, ServerState::kDown);
  EXPECT_TRUE(find_server_processes(server.home().data()).empty());
  server.start();
  EXPECT_EQ(one(server), 1);
}

TEST_F(PrivateServerTest, OnlyTheOwnerCanReachIt) {
  PrivateServer server = initialised();
  server.start();
  struct stat facts {};
  ASSERT_EQ(::stat((folder_ / "home" / "run").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0700u);
  EXPECT_EQ(facts.st_uid, server.home().account().uid);
  ASSERT_EQ(::stat(server.home().data().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0700u);
  if (::geteuid() == 0) {
    EXPECT_NE(facts.st_uid, 0u);
    ASSERT_EQ(::stat((folder_ / "home").c_str(), &facts), 0);
    EXPECT_EQ(facts.st_uid, 0u);  // the server's account cannot replace what root reads there
    // Somebody else: not even with the address.
    ChildOptions options;
    options.argv = {"/usr/bin/test", "-S", (folder_ / "home/run/.s.PGSQL.5432").string()};
    options.account = find_account("nobody");
    options.folder = "/";
    EXPECT_FALSE(run_program(options, 10s).status.ok());
  }
}

TEST_F(PrivateServerTest, OtherRolesLogInByNameAndUrl) {
  PrivateServer server = initialised();
  server.start();
  Connection::connect(server.conninfo()).exec("CREATE ROLE reader LOGIN; CREATE ROLE later LOGIN");
  EXPECT_EQ(Connection::connect(server.url("reader")).exec("SELECT current_user").text(0, 0),
            "reader");
  EXPECT_EQ(failure_of([&] { Connection::connect(server.conninfo("later")); }).code(),
            ErrorCode::kRefused);
  // A program that knows one role more: the running server learns it.
  PrivateServerOptions options;
  options.home = folder_ / "home";
  options.roles = {"reader", "later"};
  PrivateServer newer(options);
  newer.start();
  EXPECT_EQ(Connection::connect(newer.conninfo("later")).exec("SELECT current_user").text(0, 0),
            "later");
}

TEST_F(PrivateServerTest, AKilledServerIsStartedAgainWithItsData) {
  PrivateServer server = initialised("home", true);
  server.start();
  Connection connection = Connection::connect(server.conninfo());
  connection.exec("CREATE TABLE t AS SELECT i FROM generate_series(1, 1000) i");
  // A child in the middle of something does not notice its parent's death.
  std::thread busy([&] {
    EXPECT_EQ(failure_of([&] {
                connection.exec("SELECT count(*) FROM generate_series(1, 1000000000)");
              }).code(),
              ErrorCode::kUnavailable);
  });
  std::this_thread::sleep_for(100ms);
  kill_hard(server);
  EXPECT_EQ(server.status().state, ServerState::kDown);
  server.start();
  busy.join();
  EXPECT_EQ(Connection::connect(server.conninfo()).exec("SELECT count(*) FROM t").integer(0, 0),
            1000);
  EXPECT_EQ(find_server_processes(server.home().data()).empty(), false);
}

TEST_F(PrivateServerTest, AStalePidFileOfALivingStrangerDoesNotStopIt) {
  PrivateServer server = initialised();
  server.start();
  kill_hard(server);
  while (!find_server_processes(server.home().data()).empty()) std::this_thread::sleep_for(5ms);
  // A process of the same account, alive, that took over the number.
  ChildProcess stranger = ChildProcess::start(server.home().program({"/bin/sleep", "600"}));
  for (const fs::path& file :
       {server.home().data() / "postmaster.pid", folder_ / "home" / "run" / ".s.PGSQL.5432.lock"}) {
    const std::string content = read_file(file);
    std::ofstream(file, std::ios::trunc) << stranger.pid() << content.substr(content.find('\n'));
  }
  EXPECT_EQ(server.status().state, ServerState::kDown);
  EXPECT_FALSE(server.stop());
  server.start();
  EXPECT_EQ(one(server), 1);
  EXPECT_FALSE(stranger.wait_for(0ms));  // and the stranger lives
  stranger.kill();
}

TEST_F(PrivateServerTest, SeveralStartersGetOneServer) {
  initialised();
  std::vector<pid_t> pids(4);
  std::vector<std::thread> threads;
  threads.reserve(pids.size());
  for (pid_t& pid : pids) {
    threads.emplace_back([&pid, this] {
      PrivateServerOptions options;
      options.home = folder_ / "home";
      options.durable = false;
      options.roles = {"reader"};
      PrivateServer one_of_many(options);
      one_of_many.start();
      EXPECT_EQ(one(one_of_many), 1);
      pid = one_of_many.status().pid;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(pids[0], 0);
  EXPECT_EQ(std::vector<pid_t>(4, pids[0]), pids);
}

TEST_F(PrivateServerTest, OneOfTwoInitialisersWinsTheOtherWaits) {
  PrivateServer first = server(), second = server();
  bool made = false;
  std::thread other([&] { made = first.initialise(); });
  EXPECT_NE(second.initialise(), (other.join(), made));
  second.start();
  EXPECT_EQ(one(first), 1);
}

TEST_F(PrivateServerTest, KilledInTheMiddleOfInitialiseNothingHalfIsLeft) {
  for (const auto delay : {20ms, 150ms, 400ms, 800ms}) {
    PrivateServer server = this->server();
    const pid_t child = ::fork();
    if (child == 0) {
      this->server().initialise();
      ::_exit(0);
    }
    std::this_thread::sleep_for(delay);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const ServerState state = server.status().state;
    EXPECT_TRUE(state == ServerState::kNotInitialised || state == ServerState::kDown);
    EXPECT_EQ(fs::exists(server.home().data()), state == ServerState::kDown);
    EXPECT_EQ(server.initialise(), state == ServerState::kNotInitialised);
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_ / "home")) {
      EXPECT_NE(entry.path().filename().string().rfind("pgdata.", 0), 0u) << entry.path();
    }
    server.start();
    EXPECT_EQ(one(server), 1);
    server.stop(StopMode::kImmediate);
    fs::remove_all(folder_ / "home");
  }
}

TEST_F(PrivateServerTest, LongRecoveryIsWaitedForAndReported) {
  PrivateServer server = initialised();
  // A server in recovery that asks for more log again and again: as a slow replay looks.
  std::ofstream(server.home().data() / "recovery.signal").close();
  std::ofstream(server.home().data() / "local.conf") << "wal_level = replica\nhot_standby = off\n"
                                                        "restore_command = 'sleep 0.7; false'\n";
  if (::geteuid() == 0) {
    for (const char* name : {"recovery.signal", "local.conf"}) {
      ASSERT_EQ(::chown((server.home().data() / name).c_str(), server.home().account().uid,
                        server.home().account().gid),
                0);
    }
  }
  // initdb's log was written with wal_level = minimal; a start and stop makes a checkpoint without.
  fs::rename(server.home().data() / "recovery.signal", server.home().data() / "later");
  server.start();
  server.stop();
  fs::rename(server.home().data() / "later", server.home().data() / "recovery.signal");

  const auto begin = SteadyClock::now();
  std::thread second([&] {
    PrivateServer other = this->server();
    other.start();
    EXPECT_EQ(one(other), 1);
  });
  std::this_thread::sleep_for(500ms);
  EXPECT_EQ(server.status().state, ServerState::kStarting);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(failure_of([&] { server.start(stop.get_token()); }).code(), ErrorCode::kInterrupted);
  second.join();
  EXPECT_GT(SteadyClock::now() - begin, 1200ms);
  EXPECT_FALSE(progress_.empty());
}

TEST_F(PrivateServerTest, RecoveryFromACrashedSessionIsWaitedFor) {
  PrivateServer server = initialised();
  server.start();
  const auto crash_session = [&] {
    Connection victim = Connection::connect(server.conninfo());
    ASSERT_EQ(::kill(victim.backend_pid(), SIGKILL), 0);
    while (is_running(victim.backend_pid())) std::this_thread::sleep_for(1ms);
  };
  crash_session();
  ConnectOptions options;
  options.conninfo = server.conninfo();
  EXPECT_EQ(Connection::connect_when_ready(options).exec("SELECT 1").integer(0, 0), 1);
  crash_session();
  EXPECT_TRUE(server.stop(StopMode::kFast, 60s));
  EXPECT_EQ(server.status().state, ServerState::kDown);
}

TEST_F(PrivateServerTest, AHomeWithALongPathWorks) {
  const std::string name =
      std::string(100, 'l') + "/" + std::string(100, 'm') + "/it's \"a\" $home";
  PrivateServer server = initialised(name);
  server.start();
  EXPECT_EQ(one(server), 1);
  EXPECT_EQ(Connection::connect(server.url("coppice")).exec("SELECT 1").integer(0, 0), 1);
  server.stop();
  fs::remove_all(server.home().socket_folder());
}

TEST_F(PrivateServerTest, AHomeMayMoveEvenWhileItsServerRuns) {
  PrivateServer server = initialised();
  server.start();
  const pid_t pid = server.status().pid;
  fs::rename(folder_ / "home", folder_ / "moved");
  PrivateServer moved = this->server("moved");
  moved.start();
  EXPECT_EQ(moved.status().pid, pid);
  EXPECT_EQ(one(moved), 1);
  moved.stop();
  moved.start();
  EXPECT_EQ(one(moved), 1);
}

TEST_F(PrivateServerTest, AServerWhoseSocketWasDeletedIsReplaced) {
  PrivateServer server = initialised();
  server.start();
  fs::remove(folder_ / "home" / "run" / ".s.PGSQL.5432");
  server.start();
  EXPECT_EQ(one(server), 1);
}

TEST_F(PrivateServerTest, AClosedParentIsRefusedByName) {
  const fs::path closed = folder_ / "closed";
  fs::create_directory(closed);
  ASSERT_EQ(::chmod(closed.c_str(), ::geteuid() == 0 ? 0700 : 0000), 0);
  const Error error = failure_of([&] { server("closed/home").initialise(); });
  EXPECT_EQ(error.code(), ErrorCode::kRefused) << error.message();
  EXPECT_NE((error.message() + error.hint()).find(closed.string()), std::string::npos);
  ASSERT_EQ(::chmod(closed.c_str(), 0755), 0);
}

TEST_F(PrivateServerTest, AnotherVersionsDataIsRefused) {
  PrivateServer server = initialised();
  server.home().write_server_file(server.home().data() / "PG_VERSION", "12\n");
  const Error error = failure_of([&] { server.start(); });
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_NE(error.message().find("PostgreSQL 12"), std::string::npos);
  EXPECT_NE(error.hint().find("postgresql-12"), std::string::npos);
}

TEST_F(PrivateServerTest, AWrongSettingAndDamageAreTold) {
  PrivateServer server = initialised();
  const fs::path local = server.home().data() / "local.conf";
  server.home().write_server_file(local, "shared_bufers = 1GB\n");
  const Error wrong = failure_of([&] { server.start(); });
  EXPECT_EQ(wrong.code(), ErrorCode::kUsage) << wrong.message();
  EXPECT_NE(wrong.message().find("shared_bufers"), std::string::npos) << wrong.message();
  fs::remove(local);
  fs::resize_file(server.home().data() / "global" / "pg_control", 8192);
  std::ofstream(server.home().data() / "global" / "pg_control", std::ios::in | std::ios::out)
      << std::string(512, 'x');
  const Error damaged = failure_of([&] { server.start(); });
  EXPECT_NE(damaged.code(), ErrorCode::kUsage) << damaged.message();
  EXPECT_FALSE(damaged.hint().empty());
}

TEST_F(PrivateServerTest, AFolderThatIsNotOursIsNotTouched) {
  fs::create_directories(folder_ / "home" / "pgdata");
  std::ofstream(folder_ / "home" / "pgdata" / "precious") << "x";
  EXPECT_EQ(failure_of([&] { server().initialise(); }).code(), ErrorCode::kRefused);
  EXPECT_TRUE(fs::exists(folder_ / "home" / "pgdata" / "precious"));
}

TEST_F(PrivateServerTest, SmartStopWaitsForClientsAndSaysSo) {
  PrivateServer server = initialised();
  server.start();
  {
    Connection client = Connection::connect(server.conninfo());
    EXPECT_EQ(failure_of([&] { server.stop(StopMode::kSmart, 200ms); }).code(), ErrorCode::kBusy);
    EXPECT_EQ(server.status().state, ServerState::kStopping);
  }
  server.start();  // waits until it is down, then starts
  EXPECT_EQ(one(server), 1);
}

TEST_F(PrivateServerTest, TheServerOutlivesTheProgramThatStartedIt) {
  initialised();
  const pid_t child = ::fork();
  if (child == 0) {
    server().start();
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  EXPECT_EQ(server().status().state, ServerState::kReady);
  EXPECT_EQ(one(server()), 1);
}

}  // namespace
}  // namespace coppice::pg
