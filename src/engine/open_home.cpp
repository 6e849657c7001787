#include "engine/open_home.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdlib>

#include "base/files.h"
#include "base/text.h"
#include "config/config.h"
#include "config/home.h"
#include "engine/migrations.h"
#include "pg/conninfo.h"
#include "pg/private_server.h"
#include "pg/probe.h"

namespace coppice::engine {
namespace {

namespace fs = std::filesystem;

bool uses_existing_server(const Config& config) { return !config.text("database.url").empty(); }

pg::PrivateServer private_server(const Config& config,
                                 std::function<void(const std::string&)> say) {
  pg::PrivateServerOptions options;
  options.home = config.home();
  if (!config.text("database.server_bin").empty()) {
    options.server_binaries = config.text("database.server_bin");
  }
  options.roles = {std::string(kReaderRole)};
  options.progress = std::move(say);
  return pg::PrivateServer(std::move(options));
}

// What libpq takes from the environment where an address does not say it. Such variables are about
// other servers, and the private one would not be found or not be written to.
void forget_other_servers() {
  for (const char* name : {"PGHOSTADDR", "PGSERVICE", "PGOPTIONS", "PGREQUIREPEER", "PGSSLMODE",
                           "PGCHANNELBINDING", "PGGSSENCMODE", "PGTARGETSESSIONATTRS"}) {
    ::unsetenv(name);
  }
}

void say_on_stderr(const std::string& what) { fmt::print(stderr, "coppice: {}\n", what); }

DatabaseAddress start_server(const Config& config) {
  DatabaseAddress address;
  if (uses_existing_server(config)) {
    address.owner_conninfo = config.text("database.url");
    address.reader_conninfo = address.owner_conninfo;
    return address;
  }
  forget_other_servers();
  pg::PrivateServer server = private_server(config, say_on_stderr);
  server.start();
  address.owner_conninfo = server.conninfo();
  address.reader_conninfo = server.conninfo(std::string(kReaderRole));
  address.private_server = true;
  return address;
}

// On a server that is not ours the reader is a role to change to, where it could be made.
void find_reader(EngineContext& context) {
  if (context.address.private_server) return;
  if (reader_has_rights(context.main)) context.address.reader_role = std::string(kReaderRole);
}

void make_folders(const Config& config) {
  std::error_code error;
  fs::create_directories(config.home(), error);
  if (error) {
    throw Error(
        ErrorCode::kIo,
        fmt::format("cannot create the home {}: {}", config.home().string(), error.message()),
        "choose another folder with --home or COPPICE_HOME");
  }
  if (::access(config.home().c_str(), W_OK) != 0) {
    throw_errno("write into the home " + config.home().string());
  }
}

}  // namespace

fs::path restore_marker(const fs::path& home) { return home / "restoring"; }

void check_restored(const Config& config) {
  if (!fs::exists(restore_marker(config.home()))) return;
  const std::string backup(trim(read_file(restore_marker(config.home()))));
  throw Error(ErrorCode::kBusy,
              fmt::format("the home {} is being restored, or its restore was interrupted",
                          config.home().string()),
              fmt::format("go on with it: coppice restore --home {} --backup {} --repo …",
                          shell_quoted(config.home().string()), backup.substr(0, 12)));
}

bool make_home(const Config& config, ResultSink& sink) {
  check_home_format(config.home());
  const bool existed = home_format(config.home()).has_value();
  make_folders(config);
  if (!uses_existing_server(config)) {
    pg::PrivateServer server =
        private_server(config, [&](const std::string& what) { sink.notice(what); });
    server.initialise();
  }
  {
    EngineContext context(config, start_server(config));
    pg::check_usable(pg::probe(context.main));
    if (!existed && catalog_format(context.main)) {
      sink.notice(
          fmt::format("the database holds the tables of a home already; this home uses "
                      "them, and their media must lie in {}",
                      (config.home() / "media").string()));
    }
    migrate(context.main);
    adopt_reader(context.main);
  }
  // Not before the database has said yes: a wrong address would stay.
  write_config_template(config.home(), config.text("database.url"));
  if (!existed) write_home_format(config.home());
  return !existed;
}

std::unique_ptr<EngineContext> open_home(const Config& config) {
  check_home_format(config.home());
  if (!home_format(config.home())) {
    throw Error(ErrorCode::kNotFound,
                fmt::format("there is no Coppice home at {}", config.home().string()),
                "make one: coppice init --home " + shell_quoted(config.home().string()));
  }
  auto context = std::make_unique<EngineContext>(config, start_server(config));
  if (!is_up_to_date(context->main)) {
    if (!catalog_format(context->main)) {
      throw Error(ErrorCode::kNotFound, "the database has no Coppice catalog",
                  "make it: coppice init, or point database.url at the right database");
    }
    migrate(context->main);
  }
  find_reader(*context);
  return context;
}

std::optional<pg::Connection> connect_if_running(const Config& config) {
  try {
    if (uses_existing_server(config)) return pg::Connection::connect(config.text("database.url"));
    forget_other_servers();
    return pg::Connection::connect(private_server(config, say_on_stderr).conninfo());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnavailable && error.code() != ErrorCode::kNotFound) throw;
    return std::nullopt;
  }
}

bool stop_home(const Config& config) {
  if (uses_existing_server(config)) return false;
  return private_server(config, say_on_stderr).stop();
}

}  // namespace coppice::engine
