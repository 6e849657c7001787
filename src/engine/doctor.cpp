// run_doctor of status.h: each check is a function that adds what it found.
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "base/process.h"
#include "base/sha256.h"
#include "base/text.h"
#include "config/config.h"
#include "engine/function_code.h"
#include "engine/function_use.h"
#include "engine/migrations.h"
#include "engine/status.h"
#include "media/cache.h"
#include "pg/probe.h"
#include "pg/server_account.h"
#include "workers/process_pool.h"

namespace coppice::engine {
namespace {

using Level = Finding::Level;

constexpr int kSampledObjects = 100;
constexpr std::uintmax_t kHashedBytes = 32 << 20;  // larger objects are not read again

class Doctor {
 public:
  explicit Doctor(EngineContext& context) : context_(context) {}

  std::vector<Finding> run() {
    check_home();
    check_settings();
    check_disk();
    check_server();
    check_reader();
    check_account();
    check_worker_sandbox();
    check_worker();
    check_pdf_programs();
    check_functions();
    check_operations();
    check_media();
    check_references();
    check_versions();
    return std::move(findings_);
  }

 private:
  void ok(const std::string& check, const std::string& detail) {
    findings_.push_back({Level::kOk, check, detail, {}});
  }
  void warn(const std::string& check, const std::string& detail, const std::string& fix) {
    findings_.push_back({Level::kWarning, check, detail, fix});
  }
  void fail(const std::string& check, const std::string& detail, const std::string& fix) {
    findings_.push_back({Level::kError, check, detail, fix});
  }

  void check_home() {
    const std::string home = context_.config.home().string();
    struct stat status {};
    if (::stat(home.c_str(), &status) != 0) throw_errno("examine the home " + home);
    if ((status.st_mode & 0022) != 0) {
      fail("home", fmt::format("others may write into {}", home), "chmod go-w " + home);
    } else if (::access(home.c_str(), W_OK) != 0) {
      fail("home", fmt::format("{} cannot be written", home),
           "use the account it belongs to, or give it to yours");
    } else {
      ok("home", home);
    }
    const std::string file = context_.config.file().string();
    if (::stat(file.c_str(), &status) == 0 && (status.st_mode & 0077) != 0) {
      warn("settings file", fmt::format("others may read {}, which may hold a password", file),
           "chmod 600 " + file);
    }
  }

  void check_settings() {
    for (const std::string& warning : context_.config.warnings()) {
      warn("settings", warning, "correct " + context_.config.file().string());
    }
    if (context_.config.warnings().empty()) ok("settings", "every key is known");
  }

  void check_disk() {
    const std::string home = context_.config.home().string();
    struct statvfs disk {};
    if (::statvfs(home.c_str(), &disk) != 0) throw_errno("examine the disk of " + home);
    const std::uint64_t free_bytes = std::uint64_t{disk.f_bavail} * disk.f_frsize;
    const std::uint64_t total_bytes = std::uint64_t{disk.f_blocks} * disk.f_frsize;
    const std::string detail =
        fmt::format("{} of {} free", human_bytes(free_bytes), human_bytes(total_bytes));
    if (free_bytes < (std::uint64_t{256} << 20)) {
      fail("disk space", detail, "free some, or move the home: coppice stop, then move the folder");
    } else if (free_bytes < (std::uint64_t{2} << 30)) {
      warn("disk space", detail, "coppice prune and coppice media gc free space");
    } else {
      ok("disk space", detail);
    }
  }

  void check_server() {
    const pg::ServerFacts facts = pg::probe(context_.main);
    try {
      pg::check_usable(facts);
      ok("server", fmt::format("PostgreSQL {}{}", facts.version,
                               context_.address.private_server ? ", private" : ""));
    } catch (const Error& error) {
      fail("server", error.message(), error.hint());
    }
    if (facts.data_checksums) {
      ok("checksums", "the server checks its pages");
    } else {
      warn("checksums", "the server would not notice damaged pages",
           "pg_checksums --enable while it is stopped");
    }
    if (context_.address.private_server) {
      ok("network", "no port is open: only a socket of its owner");
    } else if (facts.local || facts.encrypted) {
      ok("network", facts.local ? "a socket on this machine" : "the connection is encrypted");
    } else {
      warn("network", "rows travel to the server as plain text",
           "add sslmode=require to database.url");
    }
    const std::string used =
        fmt::format("{} of {} used", facts.used_connections, facts.max_connections);
    if (facts.used_connections * 10 > facts.max_connections * 8) {
      warn("connections", used, "raise max_connections of the server, or end idle programs");
    } else {
      ok("connections", used);
    }
  }

  void check_reader() {
    if (context_.address.private_server || reader_has_rights(context_.main)) {
      ok("reader", fmt::format("queries run as the role {}", kReaderRole));
    } else {
      warn("reader", "queries run as the owner of the database, who could write past Coppice",
           fmt::format("as an administrator of the server: CREATE ROLE {0} LOGIN (where it is not "
                       "there yet); GRANT {0} TO {1}; then coppice init again",
                       kReaderRole,
                       context_.main.exec("SELECT quote_ident(current_user)").text(0, 0)));
    }
  }

  void check_account() {
    const std::filesystem::path home = context_.config.home();
    const Account account =
        ::geteuid() == 0 ? pg::server_account(home, home / "pgdata") : current_account();
    ok("account", "the server and function workers run as " + account.name);
  }

  // What would stand around a worker, tried out: kernels and containers differ.
  void check_worker_sandbox() {
    const std::filesystem::path private_file =
        context_.config.home() / (context_.address.private_server ? "pgdata/PG_VERSION" : "format");
    try {
      judge_walls(examine_child(worker_child_options(function_worker_options(context_.config)),
                                private_file));
    } catch (const Error& error) {
      fail("worker sandbox", error.message(), error.hint());
    }
  }

  void judge_walls(const Protections& walls) {
    const std::filesystem::path home = context_.config.home();
    if (walls.files != FileWall::kNone && walls.opens_private_file) {
      warn("worker sandbox",
           fmt::format("function workers read {} as a part of the system", home.string()),
           "coppice stop, then move the home out of the system's folders, such as /usr");
    } else if (walls.files == FileWall::kNone) {
      warn("worker sandbox",
           fmt::format("a function worker that was taken over by a file could read {}: the kernel "
                       "offers neither Landlock nor a mount namespace",
                       home.string()),
           "a kernel from 5.19 on with Landlock among its security modules (lsm=landlock,…); in a "
           "container, a runtime that allows it, such as Docker from 23 on");
    } else if (!walls.call_filter) {
      warn("worker sandbox",
           walls.network_namespace
               ? "function workers could connect to sockets of this machine, the database's among "
                 "them: the kernel has no filters of system calls"
               : "function workers could reach the network: the kernel refuses both a network "
                 "namespace and filters of system calls",
           "a kernel with CONFIG_SECCOMP_FILTER");
    } else {
      ok("worker sandbox",
         fmt::format("function workers reach the media and no other file, socket or network "
                     "({}, seccomp{})",
                     walls.files == FileWall::kLandlock ? "Landlock" : "a mount namespace",
                     walls.network_namespace ? ", a network namespace" : ""));
    }
  }

  // A worker that says "missing" of an object that nobody has can be started, and answers.
  void check_worker() {
    Fragment argument;
    argument.argument = 0;
    Batch batch;
    batch.row_count = 1;
    Value value;
    value.type = ValueType::kImage;
    value.text = MediaName{std::string(64, '0'), "png"}.text();
    batch.arguments.push_back({value});
    try {
      const BatchResult results = context_.pool().evaluate(
          {Fragment{-1, "width(image)", {argument}}}, batch, context_.stop.get_token());
      const auto* failure = std::get_if<CellFailure>(&results.at(0).at(0));
      if (failure != nullptr && failure->type == "missing") {
        return ok("function workers", "coppice-media starts and answers");
      }
      fail("function workers",
           failure != nullptr ? failure->message : "a worker found an object that does not exist",
           "install Coppice again");
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kInterrupted) throw;
      fail("function workers", error.message(), error.hint());
    }
  }

  void check_pdf_programs() {
    for (const char* program : {"/usr/bin/pdftotext", "/usr/bin/pdftoppm"}) {
      if (::access(program, X_OK) == 0) continue;
      return warn("PDF", fmt::format("{} is not there: functions of PDFs fail", program),
                  "apt-get install poppler-utils");
    }
    ok("PDF", "pdftotext and pdftoppm are there");
  }

  void check_functions() {
    bool all_well = true;
    for (const UserFunction& function : context_.user_functions.all()) {
      const std::string& id = function.signature.id;
      const auto copy = code_file(context_.config.home(), function);
      if (copy && !std::filesystem::exists(*copy)) {
        fail("functions", fmt::format("the code of {} is missing: {}", id, copy->string()),
             "CREATE OR REPLACE FUNCTION takes it in again; or put the folder functions back");
        all_well = false;
      } else if (const auto changed = staleness(function)) {
        warn("functions", fmt::format("{} is stale: {}", id, *changed),
             "to use the new code: CREATE OR REPLACE FUNCTION");
        all_well = false;
      }
    }
    for (const StaleColumn& stale : stale_columns(context_)) {
      warn("functions",
           fmt::format("column {}.{} was computed by version {} of {}, now at {}", stale.table,
                       stale.column, stale.computed_by, stale.function, stale.current),
           fmt::format("coppice recompute {} {}", stale.table, stale.column));
      all_well = false;
    }
    if (!all_well || context_.user_functions.all().empty()) return;
    ok("functions",
       fmt::format("{} of users, with their code", context_.user_functions.all().size()));
  }

  void check_operations() {
    context_.log.settle_abandoned();
    const pg::Result row = context_.main.exec(
        "SELECT count(*) FILTER (WHERE state = 'interrupted'), "
        "count(*) FILTER (WHERE state = 'running'), count(*) FILTER (WHERE state = 'paused') "
        "FROM coppice.operations WHERE state IN ('running', 'interrupted', 'paused')");
    const std::int64_t interrupted = row.integer(0, 0);
    if (interrupted == 0) {
      return ok("operations", fmt::format("{} running, {} paused, none interrupted",
                                          row.integer(0, 1), row.integer(0, 2)));
    }
    warn("operations", fmt::format("{} were interrupted", interrupted),
         "coppice jobs lists them; coppice jobs resume ID or coppice jobs discard ID");
  }

  void check_media() {
    const pg::Result sample = context_.main.exec(fmt::format(
        "SELECT name, size_bytes FROM coppice.media ORDER BY md5(name || clock_timestamp()::text) "
        "LIMIT {}",
        kSampledObjects));
    std::vector<std::string> missing, damaged;
    for (int row = 0; row < sample.rows(); ++row) {
      context_.check_stop();
      const auto name = MediaName::parse(sample.text(row, 0));
      if (!name) continue;  // the content of a reference is only in the cache
      if (!context_.media.contains(*name)) {
        missing.push_back(name->text());
      } else if (!is_whole(*name, static_cast<std::uintmax_t>(sample.integer(row, 1)))) {
        damaged.push_back(name->text());
      }
    }
    tell_of(missing, "missing", sample.rows());
    tell_of(damaged, "damaged", sample.rows());
    if (missing.empty() && damaged.empty()) {
      ok("media", fmt::format("{} objects looked at, all whole", sample.rows()));
    }
  }

  bool is_whole(const MediaName& name, std::uintmax_t size_bytes) const {
    if (context_.media.size_of(name) != size_bytes) return false;
    if (size_bytes > kHashedBytes) return true;
    return to_hex(sha256(read_file(context_.media.path_of(name)))) == name.sha256_hex;
  }

  void tell_of(const std::vector<std::string>& names, std::string_view what, int looked_at) {
    if (names.empty()) return;
    fail("media",
         fmt::format("{} of {} objects looked at are {}, among them {}", names.size(), looked_at,
                     what, names[0]),
         fmt::format("put the files back below {} from a backup",
                     (context_.media.folder() / "sha256").string()));
  }

  void check_references() {
    const pg::Result row =
        context_.main.exec("SELECT count(DISTINCT url_sha256) FROM coppice.media_references");
    if (row.integer(0, 0) == 0) return;
    const UrlCache& cache = *context_.url_cache();
    ok("references",
       fmt::format("{} URLs recorded; {} of at most {} in the cache", row.integer(0, 0),
                   human_bytes(cache.size_bytes()), human_bytes(cache.options().size_limit_bytes)));
  }

  // Views over versions that were pruned, or of tables that are gone.
  void check_versions() {
    const pg::Result stale = context_.main.exec(
        "SELECT count(*), count(*) FILTER (WHERE t.table_id IS NULL "
        "OR substring(c.relname FROM '_v([0-9]+)$')::bigint < r.floor_version) "
        "FROM pg_class c "
        "LEFT JOIN coppice.tables t ON t.store_name = substring(c.relname FROM '^(.*)_v[0-9]+$') "
        "LEFT JOIN coppice.trees r USING (tree_id) "
        "WHERE c.relnamespace = 'coppice_asof'::regnamespace AND c.relkind = 'v'");
    if (stale.integer(0, 1) == 0) {
      return ok("versions",
                fmt::format("{} views of older versions, none stale", stale.integer(0, 0)));
    }
    warn("versions", fmt::format("{} views of versions that are gone", stale.integer(0, 1)),
         "harmless; coppice prune TABLE removes them");
  }

  EngineContext& context_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> run_doctor(EngineContext& context) { return Doctor(context).run(); }

}  // namespace coppice::engine
