#include "place.h"

#include <fmt/core.h>
#include <unistd.h>

#include <fstream>
#include <functional>

#include "base/error.h"
#include "base/process.h"
#include "base/text.h"
#include "engine/quiet_sinks.h"
#include "pg/connection.h"
#include "pg/conninfo.h"
#include "pg/private_server.h"

namespace coppice::sql_test {
namespace {

Config load_config(const std::filesystem::path& home, const std::optional<std::string>& database) {
  ConfigRequest request;
  request.home = home;
  request.database_url = database;
  return Config::load(request);
}

// A folder with a name of its own, open to the account of the database, and its subfolder "files"
// as the working directory.
std::filesystem::path make_folder(const std::filesystem::path& scratch, int number) {
  const std::filesystem::path folder = scratch / fmt::format("p{}", number);
  std::filesystem::create_directories(folder / "files");
  std::filesystem::permissions(folder, std::filesystem::perms(0755));
  std::filesystem::current_path(folder / "files");
  return folder;
}

void leave_folder(const std::filesystem::path& folder) {
  std::filesystem::current_path("/");
  std::error_code ignored;
  std::filesystem::remove_all(folder.parent_path(), ignored);
}

// One database on a server that exists, with or without a home of Coppice on it.
class DatabasePlace final : public Place {
 public:
  DatabasePlace(const std::filesystem::path& scratch, int number, std::string server,
                bool with_engine)
      : server_(std::move(server)),
        database_(fmt::format("coppice_test_{}_{}", ::getpid(), number)) {
    const std::filesystem::path folder = make_folder(scratch, number);
    home_ = folder / "home";
    folder_ = folder / "files";
    admin("CREATE DATABASE " + database_);
    conninfo_ = pg::with_options(server_, {{"dbname", database_}});
    if (!with_engine) return;
    engine::SilentSink sink;
    config_ = load_config(home_, conninfo_);
    Engine::init(*config_, sink);
    engine_ = Engine::open(*config_);
  }

  ~DatabasePlace() override {
    engine_.reset();
    try {
      admin("DROP DATABASE " + database_ + " WITH (FORCE)");
    } catch (const Error&) {  // the server is a scratch one, or the user's to look at
    }
    leave_folder(folder_);
  }

  std::string owner_conninfo() override { return conninfo_; }
  Engine* engine() override { return engine_.get(); }
  void restart() override {
    if (!config_) return;
    engine_.reset();
    engine_ = Engine::open(*config_);
  }

 private:
  void admin(const std::string& sql) { pg::Connection::connect(server_).exec(sql); }

  std::string server_;
  std::string database_;
  std::string conninfo_;
  std::optional<Config> config_;
  std::unique_ptr<Engine> engine_;
};

class DatabasePlaces final : public Places {
 public:
  DatabasePlaces(const std::filesystem::path& scratch, const std::optional<std::string>& server,
                 bool with_engine)
      : scratch_(scratch), with_engine_(with_engine) {
    if (server) {
      conninfo_ = *server;
      return;
    }
    pg::PrivateServerOptions options;
    options.home = scratch / "server";
    options.durable = false;
    server_ = std::make_unique<pg::PrivateServer>(options);
    server_->initialise();
    server_->start();
    conninfo_ = server_->conninfo();
  }

  ~DatabasePlaces() override {
    try {
      if (server_) server_->stop(pg::StopMode::kImmediate);
    } catch (const Error&) {  // nothing of it is needed any more
    }
  }

  std::unique_ptr<Place> make() override {
    return std::make_unique<DatabasePlace>(scratch_, next_++, conninfo_, with_engine_);
  }

 private:
  std::filesystem::path scratch_;
  bool with_engine_;
  std::string conninfo_;
  std::unique_ptr<pg::PrivateServer> server_;
  int next_ = 1;
};

// A home with a private server, copied from one that was made once and stopped: so every file
// also runs in a home that was moved.
class PrivatePlace final : public Place {
 public:
  PrivatePlace(const std::filesystem::path& scratch, int number,
               const std::filesystem::path& pattern) {
    const std::filesystem::path folder = make_folder(scratch, number);
    home_ = folder / "home";
    folder_ = folder / "files";
    ChildOptions copy;
    copy.argv = {"cp", "-a", pattern.string(), home_.string()};
    const RunResult result = run_program(copy, std::chrono::seconds(60));
    if (!result.status.ok()) throw Error(ErrorCode::kIo, "cannot copy a home: " + result.errors);
    config_ = load_config(home_, std::nullopt);
    try {
      engine_ = Engine::open(*config_);
    } catch (...) {
      leave();
      throw;
    }
  }

  ~PrivatePlace() override { leave(); }

  std::string owner_conninfo() override {
    pg::PrivateServerOptions options;
    options.home = home_;
    return pg::PrivateServer(options).conninfo();
  }
  Engine* engine() override { return engine_.get(); }
  void restart() override {
    engine_.reset();
    Engine::stop_server(*config_);
    engine_ = Engine::open(*config_);
  }

 private:
  void leave() {
    engine_.reset();
    pg::PrivateServerOptions options;
    options.home = home_;
    try {
      pg::PrivateServer(options).stop(pg::StopMode::kImmediate);
    } catch (const Error&) {  // its data go away with the folder
    }
    leave_folder(folder_);
  }

  std::optional<Config> config_;
  std::unique_ptr<Engine> engine_;
};

class PrivatePlaces final : public Places {
 public:
  explicit PrivatePlaces(const std::filesystem::path& scratch) : scratch_(scratch) {
    engine::SilentSink sink;
    const Config config = load_config(pattern(), std::nullopt);
    Engine::init(config, sink);
    Engine::stop_server(config);
    // No test takes the machine's power away, so nothing has to wait for the disk.
    std::ofstream(pattern() / "pgdata/postgresql.auto.conf", std::ios::app)
        << "fsync = off\nfull_page_writes = off\n";
  }

  std::unique_ptr<Place> make() override {
    return std::make_unique<PrivatePlace>(scratch_, next_++, pattern());
  }

 private:
  std::filesystem::path pattern() const { return scratch_ / "pattern"; }

  std::filesystem::path scratch_;
  int next_ = 1;
};

}  // namespace

std::unique_ptr<Places> make_places(PlaceKind kind, const std::filesystem::path& scratch,
                                    const std::optional<std::string>& server) {
  if (kind == PlaceKind::kPrivate) return std::make_unique<PrivatePlaces>(scratch);
  return std::make_unique<DatabasePlaces>(scratch, server, kind == PlaceKind::kDatabase);
}

}  // namespace coppice::sql_test
