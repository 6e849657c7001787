#include "recovery/restore.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "backup/tree.h"
#include "base/clock.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "base/files.h"
#include "base/sha256.h"
#include "base/text.h"
#include "config/home.h"
#include "engine/migrations.h"
#include "engine/open_home.h"
#include "engine/root.h"
#include "exec/stubs.h"
#include "pg/transaction.h"
#include "recovery/catalog_rows.h"
#include "recovery/choose.h"
#include "recovery/files.h"
#include "recovery/home_media.h"
#include "recovery/home_schema.h"
#include "recovery/load_tables.h"
#include "recovery/open_repository.h"
#include "recovery/restored_files.h"
#include "recovery/root_differences.h"
#include "workers/process_pool.h"

namespace coppice::recovery {
namespace {

namespace fs = std::filesystem;

using engine::EngineContext;
using nlohmann::json;
using std::chrono::steady_clock;

// The folder that is to be a home: empty, or one in which this very restore was interrupted.
class Place {
 public:
  Place(fs::path home, const std::string& backup) : home_(std::move(home)), backup_(backup) {
    if (fs::exists(home_) && !fs::is_directory(home_)) {
      throw Error(ErrorCode::kRefused, fmt::format("{} is no folder", home_.string()),
                  "name another one with --home");
    }
    goes_on_ = !is_new();
    if (goes_on_) check_interrupted();
    fs::create_directories(home_);
    lock_ = try_lock_file(home_ / "restore.lock");
    if (!lock_) {
      throw Error(ErrorCode::kBusy,
                  fmt::format("another restore into {} is under way", home_.string()),
                  "wait for it, or end it");
    }
    if (!goes_on_) write_file_atomically(engine::restore_marker(home_), backup_ + "\n");
  }
  bool goes_on() const { return goes_on_; }
  void finish() {
    fs::remove(home_ / "restore.lock");
    fs::remove(engine::restore_marker(home_));
    sync_folder(home_);
  }

 private:
  // A restore that was killed before it wrote its mark has left the lock at most.
  bool is_new() const {
    if (!fs::exists(home_)) return true;
    const fs::directory_iterator files(home_);
    return std::all_of(begin(files), end(files),
                       [](const auto& file) { return file.path().filename() == "restore.lock"; });
  }
  void check_interrupted() const {
    const fs::path marker = engine::restore_marker(home_);
    if (!fs::exists(marker)) {
      throw Error(ErrorCode::kRefused,
                  fmt::format("{} is not empty: a home is restored into a folder of its own",
                              home_.string()),
                  "name another folder with --home");
    }
    const std::string under_way(trim(read_file(marker)));
    if (under_way == backup_) return;
    throw Error(ErrorCode::kRefused,
                fmt::format("in {} a restore of the backup {} was interrupted", home_.string(),
                            short_backup_id(under_way)),
                fmt::format("go on with it: --backup {}; or remove the folder",
                            short_backup_id(under_way)));
  }

  const fs::path home_;
  const std::string backup_;
  std::optional<FileDescriptor> lock_;
  bool goes_on_ = false;
};

class Restorer {
 public:
  Restorer(const repo::Repository& repository, const KnownBackup& backup, bool goes_on,
           ResultSink& sink)
      : repository_(repository),
        backup_(backup),
        goes_on_(goes_on),
        sink_(sink),
        home_(Tree::read(repository, backup.manifest.tree)) {}

  RestoreReport restore(const ConfigRequest& where) {
    report_.backup = backup_.id.hex();
    report_.moment = backup_.manifest.moment;
    report_.root_expected = backup_.manifest.root;
    report_.damaged = backup_.manifest.damaged;
    write_config(where);
    const Config config = load_config(where);
    engine::make_home(config, sink_);
    const std::unique_ptr<EngineContext> context = engine::open_home(config);
    HomeMedia media(repository_, home_, context->media, goes_on_);
    if (!is_finished(*context)) load_database(*context);
    report_.times.first_query = seconds();
    compare(*context);
    report_.times.roots = seconds() - report_.times.first_query;
    report_.media_objects =
        media.finish(backup_.manifest.media_objects, sink_, [&] { context->check_stop(); });
    report_.times.media = seconds() - report_.times.first_query - report_.times.roots;
    if (report_.equal) finish(*context);
    report_.rows = backup_.manifest.rows;
    report_.bytes = backup_.manifest.bytes_total;
    report_.times.total = report_.seconds = seconds();
    return report_;
  }

 private:
  double seconds() const {
    return std::chrono::duration<double>(steady_clock::now() - begun_).count();
  }

  std::string text_of(const json& file) const {
    std::string text;
    read_blobs(repository_, home_.blobs(file.at("blobs")),
               [&](std::string_view bytes) { text += bytes; });
    return text;
  }

  void write_config(const ConfigRequest& where) {
    const fs::path file = *where.home / "config.toml";
    const std::string text = home_.checked([&] {
      std::string stored = text_of(home_.member("config"));
      report_.differences = changed_settings(home_.member("config"), stored);
      return stored;
    });
    if (fs::exists(file)) return;
    if (!where.database_url) return write_file_atomically(file, text);
    write_config_template(*where.home, *where.database_url);
    write_file_atomically(*where.home / "config.toml.backup", text);
    sink_.notice(fmt::format("the settings of the backup lie in {}.backup: take over what you need",
                             file.string()));
  }

  // Settings that are not those that were backed up may be none at all.
  Config load_config(const ConfigRequest& where) const {
    try {
      return Config::load(where);
    } catch (const Error& error) {
      if (report_.differences.empty()) throw;
      throw Error(ErrorCode::kIntegrity,
                  "the settings in the backup are not those that were backed up: " +
                      join(report_.differences, ", "),
                  "an earlier backup may be whole: coppice backup list");
    }
  }

  // Steps that were done before an interruption are not done again.
  template <typename Step>
  void once(EngineContext& context, const std::string& name, const Step& step) {
    const std::string key = "restored " + name;
    if (context.main.exec_params("SELECT FROM coppice.meta WHERE key = $1", {key}).rows() > 0) {
      return;
    }
    pg::EnclosingTransaction transaction(context.main);
    step();
    context.main.exec_params("INSERT INTO coppice.meta VALUES ($1, 'done')", {key});
    transaction.commit();
    reach_crash_point("restore.step_done");
  }

  // Interrupted when all was proven, and only the marks of the restore were left.
  bool is_finished(EngineContext& context) {
    return goes_on_ && context.main
                               .exec_params(
                                   "SELECT FROM coppice.meta WHERE key = 'restored_from' "
                                   "AND value = $1",
                                   {backup_.id.hex()})
                               .rows() > 0;
  }

  void load_database(EngineContext& context) {
    once(context, "catalog", [&] {
      refuse_other_tables(context);
      make_schemas(context, home_);
      load_catalog(context.main, repository_, home_);
      context.main.exec(
          "INSERT INTO coppice.meta VALUES ('functions', '1') ON CONFLICT (key) DO UPDATE "
          "SET value = (meta.value::bigint + 1)::text");
      make_sequences(context.main, home_);
    });
    context.forget_catalog();
    context.refresh_functions();
    write_code(context);
    once(context, "functions", [&] {
      for (const engine::UserFunction& function : context.user_functions.all()) {
        context.main.exec(exec::user_stubs_sql(function.signature, false));
      }
      make_early_functions(context, home_);
    });
    report_.times.start = seconds();
    const LoadTimes loaded = load_tables(context, repository_, home_, sink_);
    report_.times.rows = loaded.rows;
    report_.times.indexes = loaded.indexes;
    once(context, "views", [&] { make_views(context, home_, sink_); });
    set_sequences(context.main, home_);
    context.forget_catalog();
  }

  static void refuse_other_tables(EngineContext& context) {
    if (context.catalog.all_tables().empty() && context.catalog.all_views().empty()) return;
    throw Error(ErrorCode::kRefused, "the database holds the tables of another home",
                "give an empty database: CREATE DATABASE …");
  }

  void write_code(EngineContext& context) {
    const fs::path folder = context.config.home() / "functions";
    const std::optional<Account> owner = engine::function_worker_options(context.config).account;
    home_.checked([&] {
      for (const json& file : home_.member("code")) {
        const fs::path path = fs::path(file.at("path").get<std::string>()).lexically_normal();
        if (path.is_absolute() || path.empty() || *path.begin() == "..") {
          throw Error(ErrorCode::kIntegrity,
                      fmt::format("the backup has code outside of its folder: {}", path.string()));
        }
        const fs::path place = folder / path;
        fs::create_directories(place.parent_path());
        write_file_atomically(place, text_of(file), file.at("mode").get<mode_t>() & 0777U);
        if (owner) give_to(*owner, {folder, place.parent_path(), place});
      }
    });
  }

  static void give_to(const Account& owner, const std::vector<fs::path>& files) {
    for (const fs::path& file : files) {
      if (::lchown(file.c_str(), owner.uid, owner.gid) != 0) {
        throw_errno("give " + file.string() + " to " + owner.name);
      }
    }
  }

  void compare(EngineContext& context) {
    RootRequest request;
    request.from_rows = true;
    request.history = true;
    const RootReport roots = engine::make_root(context, request, sink_);
    report_.root_restored = roots.content_root;
    home_.checked([&] {
      for (std::string& file :
           changed_code(home_.member("code"), context.config.home() / "functions")) {
        report_.differences.push_back(std::move(file));
      }
    });
    if (roots.content_root != backup_.manifest.root) {
      for (std::string& difference :
           root_differences(context, repository_, backup_, roots, sink_)) {
        report_.differences.push_back(std::move(difference));
      }
    } else if (roots.root != backup_.manifest.history_root) {
      report_.differences.push_back("older versions, or the history of operations");
    }
    report_.equal = report_.differences.empty();
  }

  // From now on the home goes its own way.
  void finish(EngineContext& context) {
    pg::Transaction transaction(context.main);
    context.main.exec("DELETE FROM coppice.meta WHERE key LIKE 'restored %'");
    for (const auto& [key, value] :
         {std::pair<std::string, std::string>{"home_id", to_hex(random_bytes(16))},
          {"restored_from", backup_.id.hex()}}) {
      context.main.exec_params(
          "INSERT INTO coppice.meta VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = $2",
          {key, value});
    }
    transaction.commit();
    reach_crash_point("restore.proven");
  }

  const repo::Repository& repository_;
  const KnownBackup& backup_;
  const bool goes_on_;  // with one that was interrupted
  ResultSink& sink_;
  const Tree home_;
  const steady_clock::time_point begun_ = steady_clock::now();
  RestoreReport report_;
};

}  // namespace

RestoreReport restore_home(const ConfigRequest& where, const RestoreRequest& request,
                           ResultSink& sink) {
  const ChosenBackup chosen = open_backup(request.repository, request.backup, request.at, sink);
  ConfigRequest home = where;
  home.home = resolve_home(where.home, where.environment);
  refuse_each_other(request.repository, *home.home);
  Place place(*home.home, chosen.backup->id.hex());
  RestoreReport report =
      Restorer(*chosen.open.repository, *chosen.backup, place.goes_on(), sink).restore(home);
  report.requests = chosen.open.store->requests();
  if (report.equal) place.finish();
  return report;
}

}  // namespace coppice::recovery
