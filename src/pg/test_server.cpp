#include "pg/test_server.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "base/clock.h"
#include "base/process.h"
#include "base/sha256.h"
#include "pg/conninfo.h"
#include "pg/private_server.h"
#include "pg/server_account.h"

namespace coppice::pg {

namespace fs = std::filesystem;

namespace {

// Waits for the end of this program, also by SIGKILL, then ends the server and removes its folder:
// standard input is a pipe that nobody writes to.
constexpr const char* kSweeper =
    "read ignored; pid=$(head -n 1 \"$0/home/pgdata/postmaster.pid\" 2>/dev/null); "
    "[ -n \"$pid\" ] && kill -QUIT \"$pid\" 2>/dev/null && sleep 0.2; rm -rf \"$0\"";

ChildProcess start_sweeper(const fs::path& folder) {
  ChildOptions options;
  options.argv = {"/bin/sh", "-c", kSweeper, folder.string()};
  options.input = Pipe::kPipe;
  options.output = Pipe::kNull;
  options.errors = Pipe::kNull;
  options.dies_with_parent = false;
  options.new_session = true;
  options.folder = "/";
  return ChildProcess::start(options);
}

PrivateServerOptions server_options(const fs::path& folder) {
  PrivateServerOptions options;
  options.home = folder / "home";
  options.durable = false;
  options.settings = {
      {"shared_buffers", "64MB"}, {"max_wal_size", "512MB"}, {"temp_file_limit", "1GB"}};
  return options;
}

}  // namespace

fs::path make_reachable_folder() {
  if (::geteuid() == 0) ensure_account();
  std::string pattern = "/tmp/coppice-test-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) throw_errno("create " + pattern);
  if (::chmod(pattern.c_str(), 0755) != 0) throw_errno("open " + pattern);
  return pattern;
}

struct TestServer::Private {
  fs::path folder = make_reachable_folder();
  ChildProcess sweeper = start_sweeper(folder);
  PrivateServer server{server_options(folder)};
};

TestServer& TestServer::shared() {
  static TestServer server;
  return server;
}

TestServer::TestServer() {
  if (const char* url = std::getenv("COPPICE_TEST_DATABASE_URL"); url != nullptr && *url != '\0') {
    conninfo_ = url;
    external_ = true;
    return;
  }
  private_ = std::make_unique<Private>();
  private_->server.initialise();
  private_->server.start();
  conninfo_ = private_->server.conninfo();
}

TestServer::~TestServer() {
  if (!private_) return;
  private_->sweeper.close_input();
  private_->sweeper.wait();
}

TestDatabase::TestDatabase() : name_("coppice_test_" + to_hex(random_bytes(6))) {
  const TestServer& server = TestServer::shared();
  Connection connection = Connection::connect(server.conninfo());
  connection.exec("CREATE DATABASE " + quote_identifier(name_) +
                  " ENCODING 'UTF8' TEMPLATE template0");
  conninfo_ = with_options(server.conninfo(), {{"dbname", name_}});
}

TestDatabase::~TestDatabase() {
  try {
    Connection connection = Connection::connect(TestServer::shared().conninfo());
    connection.exec("DROP DATABASE IF EXISTS " + quote_identifier(name_) + " WITH (FORCE)");
  } catch (...) {
    // A test may have killed the server; the folder goes as a whole.
  }
}

}  // namespace coppice::pg
