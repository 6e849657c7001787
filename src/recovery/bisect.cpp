#include "recovery/bisect.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>

#include "base/error.h"
#include "engine/open_home.h"
#include "engine/quiet_sinks.h"
#include "engine/run_sql.h"
#include "recovery/assertions.h"
#include "recovery/backup_table.h"
#include "recovery/catalog_lines.h"
#include "recovery/choose.h"
#include "recovery/open_repository.h"
#include "recovery/restore.h"
#include "recovery/restore_table.h"
#include "recovery/scratch_home.h"
#include "sql/parse.h"

namespace coppice::recovery {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

// The first index in (good, bad] of which `holds` is false; it is of bad, and is not of good.
std::size_t first_bad(std::size_t good, std::size_t bad,
                      const std::function<bool(std::size_t)>& holds) {
  while (bad - good > 1) {
    const std::size_t middle = good + (bad - good) / 2;
    (holds(middle) ? good : bad) = middle;
  }
  return bad;
}

std::string why_not(const std::vector<DrillReport::Assertion>& assertions) {
  for (const DrillReport::Assertion& assertion : assertions) {
    if (!assertion.holds) return assertion.sql + ": " + assertion.what;
  }
  return "";
}

class Bisection {
 public:
  Bisection(const ConfigRequest& config, const BisectRequest& request, ResultSink& sink)
      : environment_(config.environment),
        request_(request),
        quiet_(sink),
        parent_(request.scratch ? fs::path(*request.scratch) : fs::temp_directory_path()),
        open_(open_repository(request.repository, quiet_)) {
    if (sql::parse(request.assertions).empty()) {
      throw Error(ErrorCode::kUsage, "nothing is asserted",
                  "give a statement whose first column must be true: --assert 'SELECT count(*) > 0 "
                  "FROM film'");
    }
  }

  BisectReport run() {
    const auto begun = steady_clock::now();
    remove_dead_drills(environment_, parent_, quiet_);
    choose_backups();
    if (request_.table) make_home_for_tables();
    expect_ends();
    const std::size_t bad =
        first_bad(0, backups_.size() - 1, [&](std::size_t i) { return holds_of(backups_[i]); });
    report_.good = backups_[bad - 1].id.hex();
    report_.bad = backups_[bad].id.hex();
    report_.moment = backups_[bad].manifest.moment;
    if (request_.table) find_version(backups_[bad - 1], backups_[bad]);
    report_.seconds = std::chrono::duration<double>(steady_clock::now() - begun).count();
    return std::move(report_);
  }

 private:
  // Those of one home, from the good to the bad one.
  void choose_backups() {
    const std::vector<KnownBackup> all = known_backups(*open_.repository, quiet_);
    const KnownBackup& bad = chosen_backup(all, request_.bad, {});
    for (const KnownBackup& backup : all) {
      if (backup.manifest.home_id == bad.manifest.home_id) backups_.push_back(backup);
    }
    const auto at = [&](const repo::ObjectId& id) {
      return std::find_if(backups_.begin(), backups_.end(),
                          [&](const KnownBackup& backup) { return backup.id == id; });
    };
    const auto first =
        request_.good ? at(chosen_backup(all, request_.good, {}).id) : backups_.begin();
    const auto last = at(bad.id);
    if (first == backups_.end() || first >= last) {
      throw Error(ErrorCode::kUsage, "there is no good backup before the bad one",
                  "both must be of one home, the good one earlier: coppice backup list");
    }
    backups_ = {first, last + 1};
  }

  void make_home_for_tables() {
    scratch_.emplace(environment_, parent_);
    engine::make_home(Config::load(scratch_->where()), quiet_);
  }

  void expect_ends() {
    if (!holds_of(backups_.front())) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("it does not hold of the good backup {} either: {}",
                              short_backup_id(backups_.front().id.hex()), report_.steps.back().why),
                  "name a backup of which it does: --good ID; or look at the statement");
    }
    if (!holds_of(backups_.back())) return;
    throw Error(ErrorCode::kUsage,
                fmt::format("it holds of the bad backup {}, too",
                            short_backup_id(backups_.back().id.hex())),
                "name a backup of which it does not: --bad ID");
  }

  bool holds_of(const KnownBackup& backup) {
    const std::string what = "backup " + short_backup_id(backup.id.hex());
    if (request_.table) return step(what, [&] { return ask_table(backup, *request_.table); });
    return step(what, [&] {
      const ScratchHome scratch(environment_, parent_);
      const RestoreRequest request{
          .repository = request_.repository, .backup = backup.id.hex(), .at = {}};
      restore_home(scratch.where(), request, quiet_);
      return why_not(run_assertions(scratch.where(), request_.assertions));
    });
  }

  // `ask` gives why not; empty: it holds.
  bool step(const std::string& what, const std::function<std::string()>& ask) {
    const std::string why = ask();
    report_.steps.push_back({what, why.empty(), why});
    quiet_.notice(fmt::format("{}: {}", what, why.empty() ? "it holds" : "it does not: " + why));
    return why.empty();
  }

  // `table`: with a version, or as of the backup.
  std::string ask_table(const KnownBackup& backup, const std::string& table) {
    const Config config = Config::load(scratch_->where());
    TableRestoreRequest request;
    request.repository = request_.repository;
    request.backup = backup.id.hex();
    request.table = table;
    request.as = *request_.table;
    engine::SilentSink silent;  // of plain columns
    try {
      make_schema(config);
      restore_table(config, request, silent);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kNotFound) throw;
      return error.message();
    }
    const auto context = engine::open_home(config);
    const std::string why = why_not(run_assertions(*context, request_.assertions));
    engine::run_script(*context, "DROP TABLE " + sql::parse_qualified_name(*request_.table).text(),
                       {}, silent);
    return why;
  }

  void make_schema(const Config& config) {
    const sql::QualifiedName name = sql::parse_qualified_name(*request_.table);
    if (name.schema.empty() || has_schema_) return;
    engine::SilentSink silent;
    const auto context = engine::open_home(config);
    engine::run_script(
        *context, "CREATE SCHEMA IF NOT EXISTS " + sql::quote_identifier(name.schema), {}, silent);
    has_schema_ = true;
  }

  // Of the versions that the bad backup has, those behind the point of the good one.
  void find_version(const KnownBackup& good, const KnownBackup& bad) {
    const Tree home = Tree::read(*open_.repository, bad.manifest.tree);
    const BackupTable table = table_in_backup(*open_.repository, home, *request_.table);
    std::int64_t known_good = -1;
    for (const BackupPoint& point : good.manifest.points) {
      if (point.tree == table.tree_id) known_good = point.version;
    }
    std::vector<std::int64_t> versions = {known_good};
    std::map<std::int64_t, std::string> published;
    for_each_catalog_row(*open_.repository, home, "versions",
                         {"tree_id", "version", "published_at"}, [&](const auto& row) {
                           if (catalog_number(row[0]) != table.tree_id) return;
                           const std::int64_t version = catalog_number(row[1]);
                           published[version] = catalog_value(row[2]).value_or("");
                           if (version > known_good) versions.push_back(version);
                         });
    std::sort(versions.begin(), versions.end());
    if (versions.size() < 2) return;  // what differs is no version of this table
    const std::size_t first = first_bad(0, versions.size() - 1, [&](std::size_t i) {
      return step(fmt::format("version {}", versions[i]), [&] {
        return ask_table(bad, fmt::format("{}:{}", *request_.table, versions[i]));
      });
    });
    report_.version = versions[first];
    report_.published_at = published[versions[first]];
    find_operation(home, table.tree_id, versions[first]);
  }

  void find_operation(const Tree& home, std::int64_t tree, std::int64_t version) {
    for_each_catalog_row(*open_.repository, home, "operations",
                         {"tree_id", "version", "statement", "author"}, [&](const auto& row) {
                           const auto of = catalog_value(row[1]);
                           if (catalog_number(row[0]) != tree || of != std::to_string(version)) {
                             return;
                           }
                           report_.statement = catalog_value(row[2]).value_or("");
                           report_.author = catalog_value(row[3]).value_or("");
                         });
  }

  const Environment& environment_;
  const BisectRequest& request_;
  engine::NoticeSink quiet_;
  const fs::path parent_;
  const OpenRepository open_;
  std::vector<KnownBackup> backups_;
  std::optional<ScratchHome> scratch_;  // for tables
  bool has_schema_ = false;
  BisectReport report_;
};

}  // namespace

BisectReport bisect_backups(const ConfigRequest& config, const BisectRequest& request,
                            ResultSink& sink) {
  return Bisection(config, request, sink).run();
}

}  // namespace coppice::recovery
