#include "recovery/recovery.h"

#include <fmt/core.h>

#include "base/text.h"
#include "engine/emit.h"
#include "recovery/backup_roots.h"
#include "recovery/bisect.h"
#include "recovery/browse.h"
#include "recovery/copies.h"
#include "recovery/create.h"
#include "recovery/create_other.h"
#include "recovery/drill.h"
#include "recovery/export.h"
#include "recovery/forget.h"
#include "recovery/holds.h"
#include "recovery/kept_drills.h"
#include "recovery/open_repository.h"
#include "recovery/repository_keys.h"
#include "recovery/rescue.h"
#include "recovery/restore.h"
#include "recovery/restore_media.h"
#include "recovery/restore_other.h"
#include "recovery/restore_plan.h"
#include "recovery/restore_table.h"
#include "recovery/run_schedule.h"
#include "recovery/verify.h"
#include "recovery/watch.h"

namespace coppice {
namespace {

using recovery::KnownBackup;

// What changed since the backup before, and whether that is suspect.
template <typename Row>
void show_watch(const KnownBackup& backup, const recovery::Confirmations& confirmations,
                const Row& row) {
  if (const auto& measures = backup.manifest.measures) {
    row("changes",
        fmt::format("{} rows new, {} of {} gone; {} media added, {} of {} gone", measures->rows_new,
                    measures->rows_gone, measures->rows_before, measures->media_added,
                    measures->media_removed, measures->media_before));
    row("new_data", fmt::format("{} of {} bytes; rows {} bytes, compressed {}; media {}, {}",
                                measures->new_bytes, measures->given_bytes, measures->row_bytes,
                                measures->row_packed_bytes, measures->media_bytes,
                                measures->media_packed_bytes));
  }
  for (const std::string& why : backup.manifest.suspect) row("suspect", why);
  const auto said = confirmations.find(backup.id);
  if (said == confirmations.end()) return;
  row("confirmed", fmt::format("{} by {} on {}: {}", said->second.confirmed_at, said->second.by,
                               said->second.host, said->second.note));
}

// For those who only want to see: holds that cannot be read are told.
recovery::Holds shown_holds(const repo::Repository& repository, ResultSink& sink) {
  try {
    return recovery::read_holds(repository);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kIntegrity) throw;
    sink.notice(fmt::format("which backups are held cannot be read: {}", error.message()));
    return {};
  }
}

class HomeRecovery final : public Recovery {
 public:
  BackupReport create(const Config& config, const BackupRequest& request,
                      ResultSink& sink) override {
    return recovery::create_backup(config, request, sink);
  }

  OtherBackupReport create_other(const OtherBackupRequest& request, ResultSink& sink) override {
    return recovery::back_up_other_data(request, sink);
  }
  OtherRestoreReport restore_other(const OtherRestoreRequest& request, ResultSink& sink) override {
    return recovery::restore_other_data(request, sink);
  }

  void list(const RepositoryAddress& address, ResultSink& sink) override {
    const recovery::OpenRepository open = recovery::open_repository(address, sink);
    engine::RowsOut rows(sink, {{"id", "text"},
                                {"moment", "timestamp with time zone"},
                                {"host", "text"},
                                {"home", "text"},
                                {"tags", "text"},
                                {"rows", "bigint"},
                                {"media", "bigint"},
                                {"bytes_total", "bigint"},
                                {"bytes_written", "bigint"},
                                {"root", "text"},
                                {"kind", "text"},
                                {"watch", "text"},
                                {"held", "boolean"}});
    const recovery::Confirmations confirmations =
        recovery::read_confirmations(*open.repository, sink);
    const recovery::Holds holds = shown_holds(*open.repository, sink);
    for (const KnownBackup& backup : recovery::known_backups(*open.repository, sink)) {
      const Manifest& manifest = backup.manifest;
      rows.row({short_backup_id(backup.id.hex()), manifest.moment, manifest.host, manifest.home,
                join(manifest.tags, ","), std::to_string(manifest.rows),
                std::to_string(manifest.media_objects), std::to_string(manifest.bytes_total),
                std::to_string(manifest.bytes_written), manifest.root, manifest.kind,
                recovery::watch_word(backup, confirmations),
                holds.contains(backup.id) ? "t" : "f"});
    }
    rows.end();
  }

  void show(const RepositoryAddress& address, const std::string& id, ResultSink& sink) override {
    const recovery::OpenRepository open = recovery::open_repository(address, sink);
    const std::vector<KnownBackup> backups = recovery::known_backups(*open.repository, sink);
    const KnownBackup& backup = recovery::backup_named(backups, id);
    const Manifest& manifest = backup.manifest;
    engine::RowsOut rows(sink, {{"name", "text"}, {"value", "text"}});
    const auto row = [&](const char* name, const std::string& value) { rows.row({name, value}); };
    row("id", backup.id.hex());
    row("kind", manifest.kind);
    row("moment", manifest.moment);
    row("created_at", manifest.created_at);
    row("home", manifest.home);
    row("host", manifest.host);
    row("tags", join(manifest.tags, ","));
    row("program", manifest.program);
    row("server_version", std::to_string(manifest.server_version));
    row("rows", std::to_string(manifest.rows));
    row("media_objects", std::to_string(manifest.media_objects));
    row("media_bytes", std::to_string(manifest.media_bytes));
    row("bytes_total", std::to_string(manifest.bytes_total));
    row("bytes_written", std::to_string(manifest.bytes_written));
    row("seconds", fmt::format("{:.3f}", manifest.seconds));
    row("root", manifest.root);
    row("history_root", manifest.history_root);
    for (const BackupPoint& point : manifest.points) {
      row("tables", fmt::format("{} at version {}", join(point.tables, ", "), point.version));
    }
    for (const std::string& object : manifest.damaged) row("damaged", object);
    show_watch(backup, recovery::read_confirmations(*open.repository, sink), row);
    const recovery::Holds holds = shown_holds(*open.repository, sink);
    for (auto [hold, end] = holds.equal_range(backup.id); hold != end; ++hold) {
      row("held", hold->second.text());
    }
    rows.end();
  }

  VerifyReport verify(const VerifyRequest& request, ResultSink& sink) override {
    return recovery::verify_backups(request, sink);
  }
  void forget(const ForgetRequest& request, ResultSink& sink) override {
    recovery::forget_backups(request, sink);
  }
  std::string hold(const HoldRequest& request, ResultSink& sink) override {
    return recovery::hold_backup(request, sink);
  }
  std::string release(const HoldRequest& request, ResultSink& sink) override {
    return recovery::release_backup(request, sink);
  }
  CollectReport prune(const CollectRequest& request, ResultSink& sink) override {
    return recovery::collect_garbage(request, sink);
  }
  BisectReport bisect(const ConfigRequest& config, const BisectRequest& request,
                      ResultSink& sink) override {
    return recovery::bisect_backups(config, request, sink);
  }
  std::string confirm(const ConfirmRequest& request, ResultSink& sink) override {
    return recovery::confirm_backup(request, sink);
  }
  CopyReport copy(const CopyRequest& request, ResultSink& sink) override {
    return recovery::copy_backups(request, sink);
  }
  BackupRepairReport repair(const RepairRequest& request, ResultSink& sink) override {
    return recovery::repair_repository(request, sink);
  }
  void ls(const RepositoryAddress& repository, const std::string& backup, const std::string& path,
          ResultSink& sink) override {
    recovery::list_path(repository, backup, path, sink);
  }
  void cat(const RepositoryAddress& repository, const std::string& backup, const std::string& path,
           int output_fd, ResultSink& sink) override {
    recovery::write_path(repository, backup, path, output_fd, sink);
  }

  ExportReport export_backup(const ExportRequest& request, ResultSink& sink) override {
    return recovery::export_backup(request, sink);
  }

  DrillReport drill(const ConfigRequest& config, const DrillRequest& request,
                    ResultSink& sink) override {
    return recovery::run_drill(config, request, sink);
  }
  void list_drills(const RepositoryAddress& repository, ResultSink& sink) override {
    recovery::list_drills(repository, sink);
  }
  KeptDrill show_drill(const RepositoryAddress& address, const std::string& id,
                       ResultSink& sink) override {
    const recovery::OpenRepository open = recovery::open_repository(address, sink);
    return recovery::kept_drill(*open.repository, id, sink);
  }
  CheckedDrill check_drill(const DrillCheck& check, ResultSink& sink) override {
    return recovery::check_drill(check, sink);
  }
  std::vector<std::string> drill_keys(const RepositoryAddress& address, ResultSink& sink) override {
    return repo::public_keys(*recovery::open_repository(address, sink).repository);
  }

  void list_keys(const RepositoryAddress& address, ResultSink& sink) override {
    recovery::list_keys(address, sink);
  }
  std::string add_key(const RepositoryAddress& address, const NewKey& key,
                      ResultSink& sink) override {
    return recovery::add_key(address, key, sink);
  }
  void remove_key(const RepositoryAddress& address, const std::string& id,
                  ResultSink& sink) override {
    recovery::remove_key(address, id, sink);
  }
  void rotate_keys(const RepositoryAddress& address, ResultSink& sink) override {
    recovery::rotate_keys(address, sink);
  }

  RestorePlan plan_restore(const ConfigRequest& config, const RestoreRequest& request,
                           ResultSink& sink) override {
    return recovery::plan_restore(config, request, sink);
  }
  RescueReport rescue(const Config& config, const RescueRequest& request,
                      ResultSink& sink) override {
    return recovery::rescue(config, request, sink);
  }
  TableRestoreReport restore_table(const Config& config, const TableRestoreRequest& request,
                                   ResultSink& sink) override {
    return recovery::restore_table(config, request, sink);
  }
  MediaRestoreReport restore_media(const Config& config, const MediaRestoreRequest& request,
                                   ResultSink& sink) override {
    return recovery::restore_media(config, request, sink);
  }
  RootReport roots(const RepositoryAddress& repository, const std::string& backup,
                   const RootRequest& request, ResultSink& sink) override {
    return recovery::backup_roots(repository, backup, request, sink);
  }

  RestoreReport restore(const ConfigRequest& config, const RestoreRequest& request,
                        ResultSink& sink) override {
    return recovery::restore_home(config, request, sink);
  }

  ScheduleReport schedule_run(const Config& config, const ScheduleRequest& request,
                              ResultSink& sink) override {
    return recovery::run_schedule(config, request, *this, sink);
  }
  void schedule_show(const Config& config, ResultSink& sink) override {
    recovery::show_schedule(config, sink);
  }
};

}  // namespace

std::unique_ptr<Recovery> make_recovery() { return std::make_unique<HomeRecovery>(); }

}  // namespace coppice
