#include "recovery/drill.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/clock.h"
#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "base/wall_time.h"
#include "engine/quiet_sinks.h"
#include "recovery/assertions.h"
#include "recovery/choose.h"
#include "recovery/damaged_parts.h"
#include "recovery/drill_other.h"
#include "recovery/drill_page.h"
#include "recovery/drill_report.h"
#include "recovery/home_log.h"
#include "recovery/kept_drills.h"
#include "recovery/media_users.h"
#include "recovery/open_repository.h"
#include "recovery/restore.h"
#include "recovery/scratch_home.h"
#include "recovery/time_text.h"
#include "sql/parse.h"

namespace coppice::recovery {
namespace {

namespace fs = std::filesystem;

double loss_window(const Manifest& manifest, std::int64_t now_us) {
  // A home without changes has lost nothing since its point.
  std::int64_t newest = 0;
  for (const BackupPoint& point : manifest.points) {
    newest = std::max(newest, time_in(point.published_at));
  }
  if (newest == 0) newest = time_in(manifest.moment);
  return std::max(0.0, static_cast<double>(now_us - newest) / 1e6);
}

void check_objective(const char* name, const std::optional<double>& objective, double measured,
                     DrillReport& report) {
  if (!objective || measured <= *objective) return;
  report.missed.push_back(fmt::format("{} of {}: {} was measured", name, shown_duration(*objective),
                                      shown_duration(measured)));
}

const KnownBackup& chosen(const std::vector<KnownBackup>& backups, const DrillRequest& request) {
  if (request.backup != "random" || backups.empty()) {
    return chosen_backup(backups, request.backup, request.at, {});
  }
  std::uint64_t number = 0;
  std::memcpy(&number, random_bytes(sizeof number).data(), sizeof number);
  return backups[number % backups.size()];
}

std::string asked_for(const DrillRequest& request) {
  if (request.backup) return *request.backup;
  return request.at ? "at " + *request.at : "latest";
}

bool is_damage(const Error& error) {
  return error.code() == ErrorCode::kIntegrity || error.code() == ErrorCode::kNotFound;
}

class Drill {
 public:
  Drill(const ConfigRequest& config, const DrillRequest& request, ResultSink& sink)
      : environment_(config.environment),
        request_(request),
        quiet_(sink),
        began_us_(wall_time_us()),
        assertions_(request.assertions ? read_file(*request.assertions) : "") {
    // Before the work: a text that cannot be read should not cost a restore.
    sql::parse(assertions_);
  }

  DrillReport run() {
    const fs::path parent =
        request_.scratch ? fs::path(*request_.scratch) : fs::temp_directory_path();
    remove_dead_drills(environment_, parent, quiet_);
    const OpenRepository open = open_repository(request_.repository, quiet_);
    const std::vector<KnownBackup> backups = known_backups(*open.repository, quiet_);
    const KnownBackup& backup = chosen(backups, request_);
    {
      const ScratchHome scratch(environment_, parent);
      attempt([&] { restore(*open.repository, backup, scratch); });
    }
    judge(*open.repository, backup);
    keep(*open.repository, backup);
    return std::move(report_);
  }

 private:
  // What fails is what a drill is there to find. A stop that was asked for is not.
  template <typename Call>
  void attempt(const Call& call) {
    try {
      call();
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kInterrupted || error.code() == ErrorCode::kCancelled) throw;
      report_.failure = error;
    } catch (const fs::filesystem_error& error) {
      report_.failure = Error(ErrorCode::kIo, error.what());
    }
  }

  void restore(const repo::Repository& repository, const KnownBackup& backup,
               const ScratchHome& scratch) {
    report_.restore.backup = backup.id.hex();
    report_.restore.moment = backup.manifest.moment;
    report_.restore.root_expected = backup.manifest.root;
    if (is_other_data(backup.manifest)) {
      return drill_other_data(repository, backup, *scratch.where().home, assertions_, report_,
                              quiet_);
    }
    const RestoreRequest request{
        .repository = request_.repository, .backup = backup.id.hex(), .at = {}};
    report_.restore = restore_home(scratch.where(), request, quiet_);
    if (report_.restore.equal) {
      report_.assertions = run_assertions(scratch.where(), assertions_);
    }
  }

  void judge(const repo::Repository& repository, const KnownBackup& backup) {
    const bool is_home = !is_other_data(backup.manifest);
    if (report_.failure && is_home) {
      const Error& error = *report_.failure;
      report_.failure.emplace(error.code(), with_users(repository, backup, error.message()),
                              error.hint());
    } else if (!report_.failure) {
      check_objective("the time to recover", request_.rto_seconds, report_.restore.times.total,
                      report_);
    }
    if (report_.failure && is_home && is_damage(*report_.failure)) {
      report_.damaged = damaged_parts(repository, backup);
    }
    for (const std::string& what : backup.manifest.damaged) {
      report_.damaged.push_back(is_home ? with_users(repository, backup, what) : what);
    }
    report_.rpo_seconds = loss_window(backup.manifest, began_us_);
    check_objective("the loss window", request_.rpo_seconds, report_.rpo_seconds, report_);
  }

  void keep(repo::Repository& repository, const KnownBackup& backup) {
    try {
      const DrillRecord record{repository.id(),
                               repository.encrypted(),
                               asked_for(request_),
                               backup,
                               began_us_,
                               wall_time_us(),
                               request_,
                               report_,
                               kept_drills(repository, quiet_)};
      keep_drill(repository, record, report_);
    } catch (const Error& error) {
      if (!report_.failure) throw;
      quiet_.notice(fmt::format("the report of the drill could not be kept: {}", error.message()));
      return;
    }
    if (request_.home) tell_home(repository, backup);
  }

  // The drill is done all the same.
  void tell_home(const repo::Repository& repository, const KnownBackup& backup) {
    try {
      const Config config = Config::load(*request_.home);
      note_drill(config, {repository.id(), backup.manifest.home_id, began_us_, wall_time_us()},
                 report_);
    } catch (const Error& error) {
      quiet_.notice(
          fmt::format("the drill is done, but the home could not note it: {}", error.message()));
    }
  }

  const Environment& environment_;
  const DrillRequest& request_;
  engine::NoticeSink quiet_;
  const std::int64_t began_us_;
  const std::string assertions_;
  DrillReport report_;
};

}  // namespace

DrillReport run_drill(const ConfigRequest& config, const DrillRequest& request, ResultSink& sink) {
  return Drill(config, request, sink).run();
}

}  // namespace coppice::recovery
