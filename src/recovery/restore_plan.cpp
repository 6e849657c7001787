#include "recovery/restore_plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "backup/media_map.h"
#include "backup/runs.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "config/home.h"
#include "engine/migrations.h"
#include "engine/open_home.h"
#include "pg/connection.h"
#include "recovery/choose.h"
#include "recovery/kept_drills.h"
#include "recovery/open_repository.h"
#include "recovery/time_text.h"
#include "repo/parallel.h"

namespace coppice::recovery {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::steady_clock;

// Reading is measured on so many bytes at most.
constexpr std::uint64_t kSampleBytes = 32 << 20;
// What a database does in a second, indexes and the proof of the roots included: on two cores.
constexpr double kRowsPerSecond = 100'000;
constexpr double kStartSeconds = 3;
constexpr std::size_t kMostTold = 100;

class Planner {
 public:
  Planner(const repo::Repository& repository, const KnownBackup& backup)
      : repository_(repository),
        backup_(backup),
        home_(Tree::read(repository, backup.manifest.tree)) {}

  RestorePlan plan() {
    plan_.backup = backup_.id.hex();
    plan_.moment = backup_.manifest.moment;
    plan_.rows = backup_.manifest.rows;
    plan_.media_objects = backup_.manifest.media_objects;
    plan_.media_bytes = backup_.manifest.media_bytes;
    count_blobs();
    reckon();
    return std::move(plan_);
  }

 private:
  void count_blobs() {
    home_.checked([&] {
      add({home_.id()});
      add(home_.all_blobs());
      for (const json& table : home_.member("tables")) {
        ++plan_.tables;
        const repo::BlobId tree = home_.tree(table.at("tree"));
        add({tree});
        for (const Run& run : read_table(repository_, tree).runs) {
          add(run.parts);
          add(blobs_of(repository_, run));
        }
      }
      for (const json& part : home_.member("media")) {
        const repo::BlobId tree = home_.tree(part.at("tree"));
        add({tree});
        for (const auto& [name, object] : read_media_tree(repository_, tree)) add(object.blobs);
      }
    });
  }

  void add(const std::vector<repo::BlobId>& blobs) {
    repository_.with_index([&](const repo::Index& index) {
      for (const repo::BlobId& blob : blobs) {
        ++plan_.blobs;
        const auto place = index.find(blob);
        if (!place) {
          ++missing_;
          continue;
        }
        plan_.bytes_read += place->entry->frame_length;
        if (sampled_bytes_ >= kSampleBytes) continue;
        sampled_bytes_ += place->entry->frame_length;
        sample_.push_back(blob);
      }
    });
  }

  void reckon() {
    const auto begun = steady_clock::now();
    std::string damage;
    try {
      repo::for_each_parallel(
          sample_.size(), {}, [](std::size_t) { return std::uint64_t{8} << 20; },
          [&](std::size_t i) { repository_.read(sample_[i]); });
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kIntegrity && error.code() != ErrorCode::kNotFound) throw;
      damage = error.message();
    }
    if (missing_ > 0) damage = fmt::format("{} blobs that it needs are missing", missing_);
    if (!damage.empty()) plan_.refused = "the backup is not whole: " + damage;
    const double seconds =
        std::max(std::chrono::duration<double>(steady_clock::now() - begun).count(), 1e-6);
    const double bytes_per_second = static_cast<double>(sampled_bytes_) / seconds;
    const double reading =
        sampled_bytes_ == 0 ? 0 : static_cast<double>(plan_.bytes_read) / bytes_per_second;
    plan_.seconds = kStartSeconds + reading + static_cast<double>(plan_.rows) / kRowsPerSecond;
    plan_.rates = fmt::format(
        "{:.1f} MB/s read from the repository, measured on {} blobs; assumed: {:.0f} rows/s loaded "
        "and proven, {:.0f} s to start",
        bytes_per_second / 1e6, sample_.size(), kRowsPerSecond, kStartSeconds);
  }

  const repo::Repository& repository_;
  const KnownBackup& backup_;
  const Tree home_;
  RestorePlan plan_;
  std::vector<repo::BlobId> sample_;
  std::uint64_t sampled_bytes_ = 0, missing_ = 0;
};

// A drill on this repository says more than what is assumed: by the bytes of its backup and this.
void reckon_by_drill(const repo::Repository& repository, const std::vector<KnownBackup>& backups,
                     const Manifest& manifest, RestorePlan& plan, ResultSink& sink) {
  const std::vector<PastDrill> drills = kept_drills(repository, sink);
  for (auto drill = drills.rbegin(); drill != drills.rend(); ++drill) {
    if (!drill->passed || !drill->rto_seconds || drill->backup.empty()) continue;
    const auto of = std::find_if(backups.begin(), backups.end(), [&](const KnownBackup& backup) {
      return backup.id.hex().starts_with(drill->backup);
    });
    if (of == backups.end() || of->manifest.bytes_total == 0) continue;
    const double ratio =
        static_cast<double>(manifest.bytes_total) / static_cast<double>(of->manifest.bytes_total);
    const double start = std::min(kStartSeconds, *drill->rto_seconds);
    plan.seconds = start + (*drill->rto_seconds - start) * ratio;
    plan.rates =
        fmt::format("the drill of {} took {:.1f} s for {} bytes, and this has {}", drill->began_at,
                    *drill->rto_seconds, of->manifest.bytes_total, manifest.bytes_total);
    return;
  }
}

// Why a restore would not begin there; empty: it would.
std::string refusal(const fs::path& home, const std::string& backup) {
  if (!fs::exists(home)) return {};
  if (!fs::is_directory(home)) return fmt::format("{} is no folder", home.string());
  if (fs::is_empty(home)) return {};
  const fs::path marker = engine::restore_marker(home);
  if (!fs::exists(marker)) return fmt::format("{} is not empty", home.string());
  const std::string other(trim(read_file(marker)));
  if (other == backup) return {};
  return fmt::format("in {} a restore of the backup {} was interrupted", home.string(),
                     short_backup_id(other));
}

// A session of the home's database, if that is up.
std::optional<pg::Connection> connection_of(const fs::path& home, const Environment& environment) {
  try {
    if (!home_format(home)) return std::nullopt;
    const Config config = Config::load({home, std::nullopt, environment});
    return engine::connect_if_running(config);
  } catch (const Error&) {
    return std::nullopt;  // then it says nothing
  }
}

bool is_home_of(pg::Connection& connection, const std::string& home_id) {
  const pg::Result id = connection.exec("SELECT value FROM coppice.meta WHERE key = 'home_id'");
  return id.rows() > 0 && id.text(0, 0) == home_id;
}

void add_lost(RestorePlan& plan, std::uint64_t versions, std::string what) {
  plan.lost_versions += versions;
  if (plan.lost.size() < kMostTold) plan.lost.push_back(std::move(what));
}

void ask_for_loss(pg::Connection& connection, const Manifest& manifest, RestorePlan& plan) {
  std::map<std::int64_t, std::int64_t> points;
  for (const BackupPoint& point : manifest.points) points[point.tree] = point.version;
  const pg::Result trees = connection.exec(
      "SELECT r.tree_id, r.version, string_agg(format('%I.%I', t.schema_name, t.table_name), ', ' "
      "ORDER BY t.table_id) FROM coppice.trees r JOIN coppice.tables t USING (tree_id) "
      "GROUP BY r.tree_id, r.version ORDER BY 3");
  for (int row = 0; row < trees.rows(); ++row) {
    const auto point = points.find(trees.integer(row, 0));
    const std::int64_t version = trees.integer(row, 1);
    const std::string names(trees.text(row, 2));
    if (point == points.end()) {
      add_lost(plan, static_cast<std::uint64_t>(version + 1),
               fmt::format("{}: all of it, which was made since", names));
    } else if (version > point->second) {
      add_lost(plan, static_cast<std::uint64_t>(version - point->second),
               fmt::format("{}: the versions {} to {}", names, point->second + 1, version));
    }
  }
}

void find_loss(const ConfigRequest& where, const Manifest& manifest, RestorePlan& plan) {
  plan.loss_seconds =
      std::max(0.0, static_cast<double>(SystemClock().now_us() - time_in(manifest.moment)) / 1e6);
  for (const fs::path& home : {*where.home, fs::path(manifest.home)}) {
    std::optional<pg::Connection> connection = connection_of(home, {});
    if (!connection) continue;
    try {
      if (!is_home_of(*connection, manifest.home_id)) continue;
      ask_for_loss(*connection, manifest, plan);
      plan.home = home.string();
      return;
    } catch (const Error& error) {
      plan.lost.clear();
      plan.lost_versions = 0;
    }
  }
}

}  // namespace

RestorePlan plan_restore(const ConfigRequest& where, const RestoreRequest& request,
                         ResultSink& sink) {
  const ChosenBackup chosen = open_backup(request.repository, request.backup, request.at, sink);
  ConfigRequest home = where;
  home.home = resolve_home(where.home, where.environment);
  refuse_each_other(request.repository, *home.home);
  RestorePlan plan = Planner(*chosen.open.repository, *chosen.backup).plan();
  const Manifest& manifest = chosen.backup->manifest;
  reckon_by_drill(*chosen.open.repository, chosen.backups, manifest, plan, sink);
  const std::string why = refusal(*home.home, plan.backup);
  if (!why.empty()) plan.refused = why;
  find_loss(home, manifest, plan);
  return plan;
}

}  // namespace coppice::recovery
