// What a worker reaches when code of a file has taken it over.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/files.h"
#include "workers/process_pool.h"

namespace coppice {
namespace {

namespace fs = std::filesystem;

// A home in small: what the account of the workers owns, with the media folder among it.
class SandboxedPoolTest : public testing::Test {
 protected:
  SandboxedPoolTest() : folder_(fs::temp_directory_path(), "sandboxed_pool_test") {
    fs::permissions(folder_.path(), fs::perms::all);
    fs::copy_file(COPPICE_TEST_WORKER, path("test_worker"));
    options_.argv = {path("test_worker").string()};
    options_.worker_count = 1;
    options_.media_folder = path("media");
    options_.reachable = {{path("cache"), FileAccess::kRead}, {path("missing"), FileAccess::kRead}};
    if (::geteuid() == 0) options_.account = find_account("nobody");
    for (const char* name : {"media", "media/incoming", "media/sha256", "cache", "pgdata", "run"}) {
      fs::create_directories(path(name));
    }
    write_file_atomically(path("media/sha256/object"), "an object");
    write_file_atomically(path("cache/object"), "a reference");
    write_file_atomically(path("pgdata/PG_VERSION"), "15");
    write_file_atomically(path("config.toml"), "secret = 1");
    listen_at(path("run/.s.PGSQL.5432"));
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
      if (options_.account) own(entry.path());
    }
  }

  fs::path path(const std::string& name) const { return folder_.path() / name; }

  void own(const fs::path& file) const {
    ASSERT_EQ(::lchown(file.c_str(), options_.account->uid, options_.account->gid), 0);
  }

  void listen_at(const fs::path& file) {
    socket_ = FileDescriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    file.string().copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(socket_.get(), 1), 0);
  }

  // Whether this machine lets a child have a wall around files. Where none is possible (old
  // container programs) there is nothing to test; tests/allowed_skips names the two tests,
  // sandbox_test.py checks that doctor warns there.
  bool has_walls() const {
    ChildOptions child;
    child.argv = options_.argv;
    child.account = options_.account;
    child.sandbox.emplace();
    child.sandbox->files = system_paths();
    return examine_child(child, path("config.toml")).files != FileWall::kNone;
  }

  // What each attempt of a worker comes to: "done", or why it is not.
  std::vector<std::string> attempt(const std::vector<std::string>& attempts) {
    Batch batch;
    batch.row_count = attempts.size();
    batch.arguments.emplace_back();
    for (const std::string& text : attempts) {
      Value value;
      value.type = ValueType::kText;
      value.text = text;
      batch.arguments[0].push_back(value);
    }
    ProcessPool pool(options_);
    const BatchResult result = pool.evaluate({{-1, "attempt", {{0, "", {}}}}}, batch, {});
    std::vector<std::string> outcomes;
    for (const Cell& cell : result.at(0)) outcomes.push_back(std::get<Value>(cell).text);
    return outcomes;
  }

  ScratchFolder folder_;
  ProcessPoolOptions options_;
  FileDescriptor socket_;
};

TEST_F(SandboxedPoolTest, AWorkerWorksInTheMediaFolderAndReadsTheCache) {
  const std::string object = path("media/sha256/object"), fresh = path("media/incoming/new");
  const std::vector<std::string> attempts = {
      "read " + object, "create " + fresh, "append " + fresh,
      "read " + fresh,  "remove " + fresh, "read " + path("cache/object").string()};
  const std::vector<std::string> outcomes = attempt(attempts);
  for (std::size_t i = 0; i < attempts.size(); ++i) EXPECT_EQ(outcomes[i], "done") << attempts[i];
}

TEST_F(SandboxedPoolTest, AWorkerReachesNothingElseOfTheHome) {
  if (!has_walls()) GTEST_SKIP() << "Landlock and mount namespaces are refused here";
  const std::string server = path("run/.s.PGSQL.5432"), rows = path("pgdata/PG_VERSION");
  const std::vector<std::string> attempts = {"read " + rows,
                                             "append " + rows,
                                             "truncate " + rows,
                                             "chmod " + rows,
                                             "remove " + rows,
                                             "read " + path("pgdata").string(),
                                             "connect " + server,
                                             "remove " + server,
                                             "read " + path("config.toml").string(),
                                             "create " + path("pgdata/new").string(),
                                             "create " + path("new").string(),
                                             "append " + path("cache/object").string(),
                                             "symlink " + path("media/link").string()};
  const std::vector<std::string> outcomes = attempt(attempts);
  for (std::size_t i = 0; i < attempts.size(); ++i) EXPECT_NE(outcomes[i], "done") << attempts[i];
}

// Both would lead around the walls: the files of another process, and what the engine has open.
TEST_F(SandboxedPoolTest, AWorkerReachesNothingOfOtherProcesses) {
  if (!has_walls()) GTEST_SKIP() << "Landlock and mount namespaces are refused here";
  ChildOptions sleeper;
  sleeper.argv = {"sleep", "60"};
  sleeper.account = options_.account;
  sleeper.folder = path("pgdata").string();
  const ChildProcess other = ChildProcess::start(sleeper);
  const std::string process = "/proc/" + std::to_string(other.pid());
  const FileDescriptor inheritable(::fcntl(socket_.get(), F_DUPFD, 60));
  const std::vector<std::string> attempts = {
      "read " + process + "/cwd/PG_VERSION", "read " + process + "/environ",
      "read " + process + "/mem", "descriptor " + std::to_string(inheritable.get())};
  const std::vector<std::string> outcomes = attempt(attempts);
  for (std::size_t i = 0; i < attempts.size(); ++i) EXPECT_NE(outcomes[i], "done") << attempts[i];
}

}  // namespace
}  // namespace coppice
