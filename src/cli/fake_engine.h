// FakeEngine: an engine for tests of the command line. It remembers what it was asked and gives
// what the test tells it to.
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/engine_factory.h"
#include "config/config.h"

namespace coppice::cli {

// What all engines of one test share.
struct FakeState {
  std::vector<std::string> calls;  // "revert t 3 dry", one a call
  std::function<void(ResultSink&)> give = [](ResultSink&) {};
  std::function<void()> fail = [] {};  // throws when a verb is to fail
  std::string schema = "CREATE TABLE t (id bigint);\n";
  StatusReport report;
  RootReport root_report;
  BackupReport backup_report;
  OtherBackupReport other_backup_report;
  OtherRestoreReport other_restore_report;
  VerifyReport verify_report;
  CopyReport copy_report;
  BisectReport bisect_report;
  BackupRepairReport repair_report;
  DrillReport drill_report;
  RestoreReport restore_report;
  ScheduleReport schedule_report;
  ExportReport export_report;
  std::vector<Finding> findings;
  std::string media = "bytes";
  std::string home;
  bool server_runs = true;
  std::atomic<int> stops = 0;
};

class FakeEngine final : public Engine {
 public:
  explicit FakeEngine(FakeState& state) : state_(state) {}

  void sql(std::string_view script, const SqlParameters& parameters, ResultSink& sink) override {
    std::string call = "sql " + std::string(script);
    for (const auto& [name, value] : parameters) call += " $" + name + "=" + value;
    did(call, sink);
  }
  bool is_incomplete(std::string_view text) override {
    const bool quoting = std::count(text.begin(), text.end(), '\'') % 2 != 0;
    const bool open =
        std::count(text.begin(), text.end(), '(') > std::count(text.begin(), text.end(), ')');
    return !trim(text).empty() && (quoting || open || !trim(text).ends_with(';'));
  }
  std::vector<std::string> complete(std::string_view text) override {
    state_.calls.push_back("complete " + std::string(text));
    return {"films.film", "films.frame", "SELECT"};
  }
  void apply(std::string_view schema, bool prune, bool dry_run, ResultSink& sink) override {
    did(fmt::format("apply {}{}{}", schema, prune ? " prune" : "", dry_run ? " dry" : ""), sink);
  }
  std::string schema_dump() override { return state_.schema; }
  void schema_diff(std::string_view schema, bool prune, ResultSink& sink) override {
    did(fmt::format("schema_diff {}{}", schema, prune ? " prune" : ""), sink);
  }
  void insert(const std::string& table, const InsertOptions& options, ResultSink& sink) override {
    std::string content;
    if (options.input != nullptr) content.assign(std::istreambuf_iterator(*options.input), {});
    const char* format = options.format == InsertFormat::kCsv     ? "csv"
                         : options.format == InsertFormat::kJsonl ? "jsonl"
                                                                  : "folder";
    did(fmt::format("insert {} {} {}{} [{}]{}", table, format, options.input_name,
                    options.folder.string(), content, options.ignore_errors ? " skip" : ""),
        sink);
  }
  void export_rows(const std::string& source, ResultSink& sink) override {
    did("export " + source, sink);
  }
  void ls(const std::optional<std::string>& schema, ResultSink& sink) override {
    did("ls " + schema.value_or("-"), sink);
  }
  void describe(const std::string& table, ResultSink& sink) override {
    did("describe " + table, sink);
  }
  void history(const std::string& table, ResultSink& sink) override {
    did("history " + table, sink);
  }
  void diff(const std::string& table, const std::string& from, const std::string& to,
            bool schema_only, ResultSink& sink) override {
    did(fmt::format("diff {} {} {}{}", table, from, to, schema_only ? " schema" : ""), sink);
  }
  void revert(const std::string& table, const std::string& to, bool dry_run,
              ResultSink& sink) override {
    did(fmt::format("revert {} {}{}", table, to, dry_run ? " dry" : ""), sink);
  }
  void snapshot_create(const std::string& table, const std::string& name,
                       ResultSink& sink) override {
    did("snapshot_create " + table + " " + name, sink);
  }
  void snapshot_drop(const std::string& table, const std::string& name, ResultSink& sink) override {
    did("snapshot_drop " + table + " " + name, sink);
  }
  void snapshot_list(const std::optional<std::string>& table, ResultSink& sink) override {
    did("snapshot_list " + table.value_or("-"), sink);
  }
  void prune(const std::string& table, const std::optional<std::string>& keep, bool dry_run,
             ResultSink& sink) override {
    did(fmt::format("prune {} {}{}", table, keep.value_or("-"), dry_run ? " dry" : ""), sink);
  }
  void lineage(const std::string& name, LineageFormat format, ResultSink& sink) override {
    did(fmt::format("lineage {} {}", name, static_cast<int>(format)), sink);
  }
  void errors(const std::optional<std::string>& table, ResultSink& sink) override {
    did("errors " + table.value_or("-"), sink);
  }
  void recompute(const std::string& table, const std::vector<std::string>& columns,
                 const std::optional<std::string>& where, bool errors_only,
                 ResultSink& sink) override {
    did(fmt::format("recompute {} [{}] {}{}", table, join(columns, ","), where.value_or("-"),
                    errors_only ? " errors" : ""),
        sink);
  }
  void alter_column(const std::string& column, const std::string& expression,
                    ResultSink& sink) override {
    did("alter_column " + column + " " + expression, sink);
  }
  void jobs(bool all, ResultSink& sink) override { did(all ? "jobs all" : "jobs", sink); }
  void wait_for_job(const std::string& id, std::optional<double> seconds,
                    ResultSink& sink) override {
    did(fmt::format("wait {} {}", id, seconds.value_or(-1)), sink);
  }
  void resume_all(ResultSink& sink) override { did("resume all", sink); }
  void run_in_background(BackgroundCommand) override {}
  std::vector<JobToStart> jobs_to_start() override { return {}; }
  void job(JobAction action, const std::string& id, ResultSink& sink) override {
    constexpr const char* kNames[] = {"show", "resume", "work", "pause", "cancel", "discard"};
    did(fmt::format("job {} {}", kNames[static_cast<int>(action)], id), sink);
  }
  void functions(ResultSink& sink) override { did("functions", sink); }
  void spending(const std::string& by, ResultSink& sink) override { did("spending " + by, sink); }
  void set_budget(const std::optional<std::string>& amount) override {
    state_.calls.push_back("set_budget " + amount.value_or("-"));
  }
  void estimate(std::string_view statement, const SqlParameters& parameters,
                std::int64_t sample_rows, ResultSink& sink) override {
    did(fmt::format("estimate {} {} [{}]", statement, sample_rows, parameters.size()), sink);
  }
  void results(ResultSink& sink) override { did("results", sink); }
  void results_prune(const ResultsToPrune& which, bool dry_run, ResultSink& sink) override {
    did(fmt::format("results_prune {} {}{}{}{}", which.function.value_or("-"),
                    which.unused_for.value_or("-"), which.stale ? " stale" : "",
                    which.all ? " all" : "", dry_run ? " dry" : ""),
        sink);
  }
  void media_path(const std::string& value, ResultSink& sink) override {
    did("media_path " + value, sink);
  }
  void media_cat(const std::string& value, int output_fd) override {
    state_.calls.push_back("media_cat " + value);
    write_all(output_fd, state_.media, "standard output");
  }
  void media_export(const std::string& value, const std::filesystem::path& folder,
                    ResultSink& sink) override {
    did("media_export " + value + " " + folder.string(), sink);
  }
  void media_gc(bool dry_run, ResultSink& sink) override {
    did(dry_run ? "media_gc dry" : "media_gc", sink);
  }
  RootReport root(const RootRequest& request, ResultSink& sink) override {
    did(fmt::format("root {} {}{}{}{}", request.table.value_or("-"), request.column.value_or("-"),
                    request.from_rows ? " rows" : "", request.accept ? " accept" : "",
                    request.history ? " history" : ""),
        sink);
    return state_.root_report;
  }
  StatusReport status() override {
    state_.fail();
    return state_.report;
  }
  std::vector<Finding> doctor() override { return state_.findings; }
  void request_stop() override { ++state_.stops; }

 private:
  void did(const std::string& call, ResultSink& sink) {
    state_.calls.push_back(call);
    state_.fail();
    state_.give(sink);
  }

  FakeState& state_;
};

class FakeRecovery final : public Recovery {
 public:
  explicit FakeRecovery(FakeState& state) : state_(state) {}
  BackupReport create(const Config&, const BackupRequest& request, ResultSink& sink) override {
    did(fmt::format("backup_create {}{} [{}]", place(request.repository),
                    request.full ? " full" : "", join(request.tags, ",")),
        sink);
    return state_.backup_report;
  }
  OtherBackupReport create_other(const OtherBackupRequest& request, ResultSink& sink) override {
    did(fmt::format("backup_create_other {} {} [{}] [{}] [{}]{}", place(request.repository),
                    request.database.value_or("-"), join(request.files, ","),
                    join(request.excluded, ","), join(request.tags, ","),
                    request.full ? " full" : ""),
        sink);
    return state_.other_backup_report;
  }
  OtherRestoreReport restore_other(const OtherRestoreRequest& request, ResultSink& sink) override {
    did(fmt::format("restore_other {} {} {} {} {}{}", place(request.repository),
                    request.backup.value_or("-"), request.at.value_or("-"),
                    request.folder.value_or("-"), request.database.value_or("-"),
                    request.dry_run ? " dry" : ""),
        sink);
    return state_.other_restore_report;
  }
  void list(const RepositoryAddress& repository, ResultSink& sink) override {
    did("backup_list " + place(repository), sink);
  }
  void show(const RepositoryAddress& repository, const std::string& backup,
            ResultSink& sink) override {
    did(fmt::format("backup_show {} {}", place(repository), backup), sink);
  }
  VerifyReport verify(const VerifyRequest& request, ResultSink& sink) override {
    did(fmt::format("backup_verify {}{}{} {} {}/{} {}", place(request.repository),
                    request.data ? " data" : "", request.rows ? " rows" : "", request.share,
                    request.part, request.part_count, request.backup.value_or("-")),
        sink);
    return state_.verify_report;
  }
  void forget(const ForgetRequest& request, ResultSink& sink) override {
    const KeepRules& keep = request.keep;
    did(fmt::format("backup_forget {} [{}] {} {} {} {} {} {} {} [{}]{}", place(request.repository),
                    join(request.backups, ","), keep.last, keep.hourly, keep.daily, keep.weekly,
                    keep.monthly, keep.yearly, keep.within.value_or("-"), join(keep.tags, ","),
                    request.dry_run ? " dry" : ""),
        sink);
  }
  CollectReport prune(const CollectRequest& request, ResultSink& sink) override {
    did(fmt::format("backup_prune {} {}{}", place(request.repository), request.wait_hours,
                    request.dry_run ? " dry" : ""),
        sink);
    return {};
  }
  BisectReport bisect(const ConfigRequest&, const BisectRequest& request,
                      ResultSink& sink) override {
    did(fmt::format("backup_bisect {} \"{}\" {} {} {}", place(request.repository),
                    request.assertions, request.table.value_or("-"), request.good.value_or("-"),
                    request.bad.value_or("-")),
        sink);
    return state_.bisect_report;
  }
  std::string hold(const HoldRequest& request, ResultSink& sink) override {
    did(fmt::format("backup_hold {} {} \"{}\"", place(request.repository), request.backup,
                    request.note),
        sink);
    return request.backup;
  }
  std::string release(const HoldRequest& request, ResultSink& sink) override {
    did(fmt::format("backup_release {} {}", place(request.repository), request.backup), sink);
    return request.backup;
  }
  std::string confirm(const ConfirmRequest& request, ResultSink& sink) override {
    did(fmt::format("backup_confirm {} {} \"{}\"", place(request.repository), request.backup,
                    request.note),
        sink);
    return request.backup;
  }
  CopyReport copy(const CopyRequest& request, ResultSink& sink) override {
    did(fmt::format("backup_copy {} to {}{} [{}]", place(request.repository), place(request.to),
                    request.to_has_own_key ? " own" : "", join(request.backups, ",")),
        sink);
    return state_.copy_report;
  }
  BackupRepairReport repair(const RepairRequest& request, ResultSink& sink) override {
    did(fmt::format("backup_repair {} from {}", place(request.repository),
                    request.from ? place(*request.from) : "-"),
        sink);
    return state_.repair_report;
  }
  void ls(const RepositoryAddress& repository, const std::string& backup, const std::string& path,
          ResultSink& sink) override {
    did(fmt::format("backup_ls {} {} {}", place(repository), backup, path), sink);
  }
  void cat(const RepositoryAddress& repository, const std::string& backup, const std::string& path,
           int output_fd, ResultSink& sink) override {
    did(fmt::format("backup_cat {} {} {}", place(repository), backup, path), sink);
    write_all(output_fd, state_.media, "standard output");
  }
  ExportReport export_backup(const ExportRequest& request, ResultSink& sink) override {
    did(fmt::format("backup_export {} {} {}{}", place(request.repository), request.backup,
                    request.folder, request.history ? " history" : ""),
        sink);
    return state_.export_report;
  }
  DrillReport drill(const ConfigRequest&, const DrillRequest& request, ResultSink& sink) override {
    did(fmt::format("drill {} {} {} {} {} {}", place(request.repository),
                    request.backup.value_or("-"), request.at.value_or("-"),
                    request.assertions.value_or("-"), request.rto_seconds.value_or(-1),
                    request.rpo_seconds.value_or(-1)),
        sink);
    return state_.drill_report;
  }
  void list_keys(const RepositoryAddress& repository, ResultSink& sink) override {
    did(fmt::format("key_list {}", place(repository)), sink);
  }
  std::string add_key(const RepositoryAddress& repository, const NewKey& key,
                      ResultSink& sink) override {
    did(fmt::format("key_add {} {} {} {}", place(repository), static_cast<int>(key.kind),
                    key.secret, key.label),
        sink);
    return "0123456789abcdef0123456789abcdef";
  }
  void remove_key(const RepositoryAddress& repository, const std::string& id,
                  ResultSink& sink) override {
    did(fmt::format("key_remove {} {}", place(repository), id), sink);
  }
  void rotate_keys(const RepositoryAddress& repository, ResultSink& sink) override {
    did(fmt::format("key_rotate {}", place(repository)), sink);
  }
  void list_drills(const RepositoryAddress& repository, ResultSink& sink) override {
    did(fmt::format("drill_list {}", place(repository)), sink);
  }
  KeptDrill show_drill(const RepositoryAddress& repository, const std::string& id,
                       ResultSink& sink) override {
    did(fmt::format("drill_show {} {}", place(repository), id), sink);
    return {id, "json\n", "html\n"};
  }
  CheckedDrill check_drill(const DrillCheck& check, ResultSink& sink) override {
    did(fmt::format("drill_verify {} {} {}", check.file, check.public_key.value_or("-"),
                    check.repository ? place(*check.repository) : "-"),
        sink);
    return {"2026-11-23T04:00:00Z", std::string(64, 'b'), std::string(32, 'c'), true, true};
  }
  std::vector<std::string> drill_keys(const RepositoryAddress& repository,
                                      ResultSink& sink) override {
    did(fmt::format("drill_key {}", place(repository)), sink);
    return {std::string(64, 'd')};
  }
  RestorePlan plan_restore(const ConfigRequest& where, const RestoreRequest& request,
                           ResultSink& sink) override {
    did(fmt::format("plan_restore {} {} {} {}", place(request.repository), where.home->string(),
                    request.backup.value_or("-"), request.at.value_or("-")),
        sink);
    return {};
  }
  RescueReport rescue(const Config&, const RescueRequest& request, ResultSink& sink) override {
    did(fmt::format("rescue {} {} {} {} [{}] {}{}", place(request.repository),
                    request.backup.value_or("-"), request.table, request.into, request.where,
                    join(request.columns, ","), request.dry_run ? " dry" : ""),
        sink);
    return {};
  }
  TableRestoreReport restore_table(const Config&, const TableRestoreRequest& request,
                                   ResultSink& sink) override {
    did(fmt::format("restore_table {} {} {} {} {}{}", place(request.repository),
                    request.backup.value_or("-"), request.at.value_or("-"), request.table,
                    request.as, request.dry_run ? " dry" : ""),
        sink);
    return {};
  }
  MediaRestoreReport restore_media(const Config&, const MediaRestoreRequest& request,
                                   ResultSink& sink) override {
    did(fmt::format("restore_media {} {} {}{}", place(request.repository),
                    request.backup.value_or("-"), request.at.value_or("-"),
                    request.dry_run ? " dry" : ""),
        sink);
    return {};
  }
  RootReport roots(const RepositoryAddress& repository, const std::string& backup,
                   const RootRequest& request, ResultSink& sink) override {
    did(fmt::format("roots {} {} {} {}{}", place(repository), backup, request.table.value_or("-"),
                    request.column.value_or("-"), request.history ? " history" : ""),
        sink);
    return state_.root_report;
  }
  RestoreReport restore(const ConfigRequest& where, const RestoreRequest& request,
                        ResultSink& sink) override {
    did(fmt::format("restore {} {} {} {}", place(request.repository), where.home->string(),
                    request.backup.value_or("-"), request.at.value_or("-")),
        sink);
    return state_.restore_report;
  }
  ScheduleReport schedule_run(const Config&, const ScheduleRequest& request,
                              ResultSink& sink) override {
    did(fmt::format("schedule_run {} [{}]", place(request.repository()), join(request.tasks, ",")),
        sink);
    return state_.schedule_report;
  }
  void schedule_show(const Config&, ResultSink& sink) override { did("schedule_show", sink); }

 private:
  static std::string place(const RepositoryAddress& repository) {
    constexpr const char* kKeys[] = {"no key", "passphrase", "key file"};
    return fmt::format("{} ({}{}{})", repository.url, kKeys[static_cast<int>(repository.key)],
                       repository.secret.empty() ? "" : " " + repository.secret,
                       repository.no_encryption ? ", plain" : "");
  }
  void did(const std::string& call, ResultSink& sink) {
    state_.calls.push_back(call);
    state_.fail();
    state_.give(sink);
  }

  FakeState& state_;
};

class FakeFactory final : public EngineFactory {
 public:
  explicit FakeFactory(FakeState& state) : state_(state) {}
  void init(const Config& config, ResultSink& sink) override {
    state_.calls.push_back("init");
    state_.fail();
    std::filesystem::create_directories(config.home());
    state_.give(sink);
  }
  std::unique_ptr<Engine> open(const Config& config) override {
    state_.home = config.home().string();
    return std::make_unique<FakeEngine>(state_);
  }
  bool stop_server(const Config&) override { return std::exchange(state_.server_runs, false); }
  std::unique_ptr<Recovery> recovery() override { return std::make_unique<FakeRecovery>(state_); }

 private:
  FakeState& state_;
};

// Gives one set of rows: columns as {name, type}, rows as texts, "∅" for NULL.
inline void give_rows(ResultSink& sink, const std::vector<ResultColumn>& columns,
                      const std::vector<std::vector<std::string>>& rows) {
  sink.begin_rows(columns);
  for (const std::vector<std::string>& texts : rows) {
    std::vector<std::optional<std::string_view>> values;
    for (const std::string& text : texts) {
      values.push_back(text == "∅" ? std::nullopt : std::optional<std::string_view>(text));
    }
    sink.row(values);
  }
  sink.end_rows();
}

}  // namespace coppice::cli
