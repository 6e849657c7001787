#include "engine/context.h"

#include <fmt/core.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "base/process.h"
#include "base/work_behind.h"
#include "config/config.h"
#include "engine/durable_functions.h"
#include "engine/function_pools.h"
#include "engine/reference_pool.h"
#include "media/cache.h"
#include "net/http_client.h"
#include "pg/server_account.h"
#include "workers/process_pool.h"
#include "workers/routing_pool.h"

namespace coppice::engine {
namespace {

constexpr std::chrono::minutes kRecoveryPatience{5};
constexpr int kFetchAttempts = 3;  // a cell that waits for a server holds up its statement

// Media belongs to the account that function workers run as: for root the one of the home's server,
// so that who owns a home can use what root has put there.
std::optional<Account> worker_account(const Config& config) {
  if (::geteuid() != 0) return std::nullopt;
  return pg::server_account(config.home(), config.home() / "pgdata");
}

pg::Connection connect_owner(const std::string& conninfo) {
  pg::ConnectOptions options;
  options.conninfo = conninfo;
  pg::Connection connection = pg::Connection::connect_when_ready(
      options, kRecoveryPatience,
      [](const std::string& what) { fmt::print(stderr, "coppice: {}\n", what); });
  // Unqualified names live in public, whatever the role's settings say.
  connection.exec("SET search_path = public");
  return connection;
}

// Beside the program, or where `cmake --install` puts it.
std::filesystem::path worker_program() {
  const char* given = std::getenv("COPPICE_MEDIA_WORKER");  // for tests in other programs
  if (given != nullptr && *given != '\0') return given;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe");
  const std::filesystem::path beside = self.parent_path() / "coppice-media";
  if (std::filesystem::exists(beside)) return beside;  // in a build folder
  return self.parent_path().parent_path() / "lib" / "coppice" / "coppice-media";
}

}  // namespace

EngineContext::EngineContext(const Config& configuration, DatabaseAddress database)
    : config(configuration),
      address(std::move(database)),
      main(connect_owner(address.owner_conninfo)),
      catalog(main),
      log(main, current_author()),
      media(configuration.home() / "media", worker_account(configuration), Durable::kWhenAsked),
      functions(user_functions.table()),
      spending_(configuration, [this] { return connect_owner(address.owner_conninfo); }) {}

EngineContext::~EngineContext() = default;

pg::Connection& EngineContext::reader() {
  return reader_.get([this] {
    pg::Connection connection =
        pg::Connection::connect(address.reader_conninfo, address.reader_role);
    connection.exec("SET search_path = public");
    return connection;
  });
}

pg::Connection& EngineContext::side() {
  return side_.get([this] { return connect_owner(address.owner_conninfo); });
}

pg::Connection& EngineContext::origin() {
  return origin_.get([this] { return connect_owner(address.owner_conninfo); });
}

FunctionPool& EngineContext::pool() {
  if (pool_ == nullptr) {
    builtin_pool_ = std::make_unique<ProcessPool>(function_worker_options(config));
    const auto open = [this] { return connect_owner(address.owner_conninfo); };
    user_pools_ = std::make_unique<FunctionPools>(config, media, spending_, open, *builtin_pool_);
    durable_ = std::make_unique<DurableFunctions>(
        open, media, spending_, [this] { return recomputing; },
        [this] { return rehearsal != nullptr; });
    const auto route = [this](const std::string& id) -> FunctionPool& {
      const UserFunction* const function = user_functions.find(id);
      if (function == nullptr) return *builtin_pool_;
      return durable_->in_front_of(user_pools_->pool_for(*function), *function);
    };
    pool_ = std::make_unique<ReferencePool>(*this, std::make_unique<RoutingPool>(route));
  }
  return *pool_;
}

void EngineContext::refresh_functions() {
  if (!user_functions.refresh(main)) return;
  functions = user_functions.table();
  if (user_pools_ != nullptr) user_pools_->forget(user_functions);
}

UrlCache* EngineContext::url_cache() {
  if (url_cache_ == nullptr) {
    HttpOptions http;
    http.stall_timeout = std::chrono::seconds(config.integer("media.timeout_s"));
    http.attempt_count = kFetchAttempts;
    http_ = std::make_unique<HttpClient>(http, clock_);
    UrlCacheOptions options;
    options.size_limit_bytes = static_cast<std::uintmax_t>(config.integer("media.cache_mb")) << 20;
    url_cache_ = std::make_unique<UrlCache>(config.home() / "cache", *http_, clock_, options,
                                            worker_account(config));
  }
  return url_cache_.get();
}

void EngineContext::check_stop() const {
  if (stop.stop_requested()) throw Error(ErrorCode::kInterrupted, "interrupted");
}

void EngineContext::wait_for_storing() const noexcept {
  if (storing != nullptr) storing->wait();
}

void EngineContext::request_stop() noexcept {
  stop.request_stop();
  main.cancel();
  reader_.cancel();
  side_.cancel();
  origin_.cancel();
}

ProcessPoolOptions function_worker_options(const Config& config) {
  ProcessPoolOptions options;
  options.argv = {worker_program()};
  options.worker_count = static_cast<int>(config.integer("workers.count"));
  options.media_folder = config.home() / "media";
  // Made now: what is not there when a worker starts stays out of its reach.
  const MediaStore cache(config.home() / "cache", worker_account(config));
  options.reachable = {{cache.folder() / "sha256", FileAccess::kRead}};
  options.account = worker_account(config);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  options.memory_limit_bytes = static_cast<std::uint64_t>(config.integer("workers.memory_mb"))
                               << 20;
#endif  // the sanitizers reserve terabytes of addresses, far above any limit
  options.row_timeout = std::chrono::seconds(config.integer("workers.timeout_s"));
  options.environment["COPPICE_MAX_PIXELS"] = config.text("media.max_pixels");
  return options;
}

std::string current_author() {
  const std::string account = current_account().name;
  const char* sudo_user = std::getenv("SUDO_USER");
  if (account == "root" && sudo_user != nullptr && *sudo_user != '\0') {
    return "root (for " + std::string(sudo_user) + ")";
  }
  return account;
}

}  // namespace coppice::engine
