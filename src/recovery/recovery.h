// Recovery: backups of homes, and homes made of backups, as the command line sees them.
//
// Model    A repository is opened by its address and one key. Only create() needs a living home,
//          and only restore() makes one; all else works on the repository alone.
// Threads  One thread at a time; verbs use threads of their own.
// Errors   Error, typed by its code; those of the repository, the store and the engine.
// Source   docs/formats/backup.md, docs/formats/repository.md
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "config/config.h"
#include "engine/engine.h"
#include "engine/result_sink.h"
#include "objects/paced_store.h"
#include "recovery/other_data_requests.h"
#include "recovery/repository_address.h"
#include "recovery/rescue_requests.h"

namespace coppice {

// As many digits of a backup's id as people are shown, and may write.
inline std::string short_backup_id(const std::string& id) { return id.substr(0, 12); }

struct BackupRequest {
  RepositoryAddress repository;
  std::vector<std::string> tags;
  bool full = false;  // nothing is taken from earlier backups
};
struct BackupReport {
  std::string id;
  std::string root;
  std::uint64_t bytes_written = 0;
  std::uint64_t bytes_total = 0;
  std::uint64_t rows_read = 0;
  std::uint64_t media_added = 0;
  double seconds = 0;
  std::string parent;  // the backup that it took from; empty: none
  std::vector<std::string> damaged;
  std::vector<std::string> suspect;  // why it looks like the work of an attacker or a bad script
  StoreRequests requests;
};

struct RestoreRequest {
  RepositoryAddress repository;
  std::optional<std::string> backup;  // an id, or its first digits; none: the latest
  std::optional<std::string> at;      // a time: the newest backup that is not later
};
// Seconds of a restore.
struct RestoreTimes {
  double start = 0;        // until the database was there, and the catalog in it
  double rows = 0;         // loading rows
  double indexes = 0;      // making indexes, constraints and views
  double first_query = 0;  // from the beginning until queries could be answered
  double media = 0;        // what was left of them at the end: they are loaded beside the rest
  double roots = 0;        // proving that all is equal
  double total = 0;
};
struct RestoreReport {
  std::string backup;
  std::string moment;  // the point in time that was reached
  std::string root_expected, root_restored;
  bool equal = false;                    // the history roots too
  std::vector<std::string> differences;  // "films.film.title"
  std::vector<std::string> damaged;      // media objects that the backup lacks
  std::uint64_t rows = 0, media_objects = 0, bytes = 0;
  RestoreTimes times;
  double seconds = 0;
  StoreRequests requests;
};

// A restore into a scratch home, to know that it works and how long it takes.
struct DrillRequest {
  RepositoryAddress repository;
  std::optional<std::string> backup;  // as for a restore, or "random"; none: the latest
  std::optional<std::string> at;
  std::optional<std::string> assertions;  // SQL: each statement's first column must be true
  std::optional<std::string> scratch;     // the folder in which the scratch home is made
  std::optional<double> rto_seconds, rpo_seconds;  // objectives
  // A home that is told when the backup is one of its own. It is not looked at before the end.
  std::optional<ConfigRequest> home;
};
struct DrillReport {
  struct Assertion {
    std::string sql;
    bool holds = false;
    std::string what;  // why not
  };
  RestoreReport restore;             // as far as it came
  std::optional<Error> failure;      // why it ended
  std::vector<std::string> damaged;  // what the backup lacks, and which cells use it
  std::vector<Assertion> assertions;
  double rpo_seconds = 0;  // from the newest version that was restored until the drill began
  std::vector<std::string> missed;  // objectives, in words
  std::string id;                   // of the report in the repository
  std::string public_key;           // 64 digits
  std::string json, html;           // the report, signed
  bool passed() const {
    bool all = restore.equal && missed.empty() && damaged.empty() && !failure;
    for (const Assertion& assertion : assertions) all = all && assertion.holds;
    return all;
  }
  // Why it did not pass, each in words.
  std::vector<std::string> failures() const {
    std::vector<std::string> all;
    if (failure) all.push_back(failure->message());
    for (const std::string& name : restore.differences) {
      all.push_back(name + " differs from what was backed up");
    }
    all.insert(all.end(), damaged.begin(), damaged.end());
    all.insert(all.end(), missed.begin(), missed.end());
    for (const Assertion& assertion : assertions) {
      if (!assertion.holds) all.push_back(assertion.sql + ": " + assertion.what);
    }
    return all;
  }
  // Of one that did not pass.
  ErrorCode code() const {
    const bool is_lost = failure && failure->code() == ErrorCode::kNotFound;
    if (failure && !is_lost) return failure->code();
    const bool is_whole = restore.equal && damaged.empty();
    return is_whole ? ErrorCode::kComputation : ErrorCode::kIntegrity;
  }
};
// A report that the repository keeps, in both forms.
struct KeptDrill {
  std::string id;
  std::string json, html;  // signed
};
struct DrillCheck {
  std::string file;                       // of a report, in either form
  std::optional<std::string> public_key;  // 64 digits; or of the repository:
  std::optional<RepositoryAddress> repository;
};
// What a report says whose signature is right.
struct CheckedDrill {
  std::string began_at, backup, repository;
  bool passed = false;
  bool encrypted = false;  // if not, whoever could read the repository could sign
};

struct VerifyRequest {
  RepositoryAddress repository;
  bool data = false;                       // every blob is read
  double share = 1.0;                      // of the packs, by chance
  std::uint32_t part = 0, part_count = 1;  // or the k-th of n parts, from 0
  bool rows = false;                       // the sums of every backup's rows are made again
  std::optional<std::string> backup;       // with rows: of this one alone
};
struct VerifyReport {
  struct Finding {
    std::string object;  // "packs/…", "films.film.title of the backup 3f2a…"
    std::string what;
  };
  std::vector<Finding> findings;
  std::vector<std::string> affected;  // ids of backups that are not whole
  std::uint64_t backups = 0, packs = 0, blobs_read = 0, bytes_read = 0, rows = 0;
  double seconds = 0;
};

// What a restore would do; nothing is written.
struct RestorePlan {
  std::string backup, moment;
  std::string refused;  // why it would be; else empty
  std::uint64_t tables = 0, rows = 0, media_objects = 0, media_bytes = 0;
  std::uint64_t blobs = 0, bytes_read = 0;  // of the repository, as they are stored
  double seconds = 0;                       // how long it may take
  std::string rates;                        // what that is reckoned with
  // What has been published since, as the living home says where one is at hand.
  std::string home;                 // which; empty: none is
  double loss_seconds = 0;          // since the point of the backup
  std::uint64_t lost_versions = 0;  // published since
  std::vector<std::string> lost;    // "films.film: 3 versions", "films.new: the table"
};

// One table of a backup, under another name in a living home.
struct TableRestoreRequest {
  RepositoryAddress repository;
  std::optional<std::string> backup, at;
  std::string table;  // "films.film", "films.film:12", "films.film:2026-11-22 10:00+00"
  std::string as;     // a name that is free
  bool dry_run = false;
};
struct TableRestoreReport {
  std::string backup, moment, table, as;
  std::int64_t from_version = 0;        // of the table in the backup
  std::optional<std::int64_t> version;  // of the new one
  std::uint64_t rows = 0, media_objects = 0, media_added = 0, media_bytes = 0;  // of those added
  std::vector<std::string> plain_columns;  // computed there, values here
  std::vector<std::string> damaged;        // media objects that neither backup nor home has
  double seconds = 0;
};

// Media objects that a living home names and has lost.
struct MediaRestoreRequest {
  RepositoryAddress repository;
  std::optional<std::string> backup, at;
  bool dry_run = false;
};
struct MediaRestoreReport {
  std::string backup;
  std::uint64_t objects = 0, missing = 0, damaged = 0;  // that the home names
  std::uint64_t restored = 0, bytes = 0;                // or would be
  std::vector<std::string> lacking;                     // that the backups do not have either
  double seconds = 0;
};

// A backup as files that need no Coppice.
struct ExportRequest {
  RepositoryAddress repository;
  std::string backup;    // an id, or latest
  std::string folder;    // is made
  bool history = false;  // older versions of rows, too
};
struct ExportReport {
  std::string backup;
  std::string moment;
  std::uint64_t tables = 0, rows = 0, media_objects = 0, media_bytes = 0;
  std::uint64_t bytes = 0;            // of the files
  std::vector<std::string> left_out;  // "view films.v: it calls engine functions"
  std::vector<std::string> damaged;   // media objects that the backup lacks
  double seconds = 0;
};

// Backups in another repository, too.
struct CopyRequest {
  RepositoryAddress repository, to;
  bool to_has_own_key = false;       // a new one does not get the keys of the first
  std::vector<std::string> backups;  // ids; none, or "all": every one
};
struct CopyReport {
  bool shares_keys = false;         // else ids are others there
  std::vector<std::string> copied;  // ids there, in the order of their time
  std::uint64_t there = 0;          // that had been copied before
  std::uint64_t packs = 0, pack_bytes = 0, blobs = 0, blob_bytes = 0;
  std::vector<VerifyReport::Finding> failed;  // backups, and why
  StoreRequests requests, to_requests;
  double seconds = 0;
};

// What is damaged, made again.
struct RepairRequest {
  RepositoryAddress repository;
  std::optional<RepositoryAddress> from;
};
struct BackupRepairReport {
  std::vector<VerifyReport::Finding> found, left;
  std::vector<std::pair<std::string, std::string>> repaired;  // object, how
  std::vector<std::string> elsewhere;  // backups that only the other has: short ids
  std::uint64_t blobs = 0, bytes = 0;
  double seconds = 0;
};

// A backup that is not to be forgotten, until it is released.
struct HoldRequest {
  RepositoryAddress repository;
  std::string backup;  // an id, or latest
  std::string note;    // why
};

// Somebody has looked at a backup that is suspect.
struct ConfirmRequest {
  RepositoryAddress repository;
  std::string backup;  // an id, or latest
  std::string note;
  std::optional<ConfigRequest> home;  // that is told
};

// The first backup, and the first version of a table, of which an assertion does not hold.
struct BisectRequest {
  RepositoryAddress repository;
  std::string assertions;                // SQL, as of a drill
  std::optional<std::string> table;      // alone is restored; then versions are looked at, too
  std::optional<std::string> good, bad;  // ids; none: the earliest of the home, the latest
  std::optional<std::string> scratch;    // as of a drill
};
struct BisectReport {
  struct Step {
    std::string what;  // "backup 3f2a…", "version 12"
    bool holds = false;
    std::string why;  // not
  };
  std::string good, bad;  // backups: the last of which it holds, the first of which it does not
  std::string moment;     // of that
  // With a table: the first version of which it does not hold, and what made it.
  std::optional<std::int64_t> version;
  std::string published_at, statement, author;
  std::vector<Step> steps;
  double seconds = 0;
};

// Which backups stay; what none of it asks for goes.
struct KeepRules {
  std::uint32_t last = 0, hourly = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0;
  std::optional<std::string> within;  // "30 days": before the latest backup
  std::vector<std::string> tags;      // those that have one of them
  bool any() const {
    return last + hourly + daily + weekly + monthly + yearly > 0 || within || !tags.empty();
  }
};
struct ForgetRequest {
  RepositoryAddress repository;
  std::vector<std::string> backups;  // these; or those that the rules do not keep
  KeepRules keep;
  std::optional<std::string> home_id;  // with rules: of backups of this home alone
  bool dry_run = false;
};
struct CollectRequest {
  RepositoryAddress repository;
  double wait_hours = 24;
  bool dry_run = false;
};
struct CollectReport {
  std::uint64_t packs = 0, marked_packs = 0, marked_bytes = 0;
  std::uint64_t removed_packs = 0, removed_bytes = 0;
};

// What is due by the schedule of a home.
struct ScheduleRequest {
  std::function<RepositoryAddress()> repository;  // asked for when something is due
  std::vector<std::string> tasks;                 // these, due or not; none: what is due
};
struct ScheduleReport {
  struct Run {
    std::string task;                          // "backup"
    std::string outcome;                       // "done", "partly", "failed"
    std::string what;                          // what was done, or why not
    ErrorCode code = ErrorCode::kComputation;  // unless it is done
    double seconds = 0;
  };
  bool is_busy = false;  // another process is doing it
  std::vector<Run> runs;
  std::string next_task, next_at;  // empty: nothing is scheduled
};

// One more key of a repository.
struct NewKey {
  RepositoryAddress::Key kind = RepositoryAddress::Key::kPassphrase;
  std::string secret;  // as that of an address
  std::string label;
};

class Recovery {
 public:
  virtual ~Recovery() = default;
  virtual BackupReport create(const Config& config, const BackupRequest& request,
                              ResultSink& sink) = 0;
  // Of other people's data, without a home.
  virtual OtherBackupReport create_other(const OtherBackupRequest& request, ResultSink& sink) = 0;
  virtual OtherRestoreReport restore_other(const OtherRestoreRequest& request,
                                           ResultSink& sink) = 0;
  // One row a backup, the oldest first.
  virtual void list(const RepositoryAddress& repository, ResultSink& sink) = 0;
  // (name, value) rows.
  virtual void show(const RepositoryAddress& repository, const std::string& backup,
                    ResultSink& sink) = 0;
  virtual VerifyReport verify(const VerifyRequest& request, ResultSink& sink) = 0;
  // One row a backup: (id, moment, tags, fate, why).
  virtual void forget(const ForgetRequest& request, ResultSink& sink) = 0;
  virtual CollectReport prune(const CollectRequest& request, ResultSink& sink) = 0;
  // config: of the environment that scratch homes are made in.
  virtual BisectReport bisect(const ConfigRequest& config, const BisectRequest& request,
                              ResultSink& sink) = 0;
  // Gives its id.
  virtual std::string confirm(const ConfirmRequest& request, ResultSink& sink) = 0;
  // Give the id of the backup.
  virtual std::string hold(const HoldRequest& request, ResultSink& sink) = 0;
  virtual std::string release(const HoldRequest& request, ResultSink& sink) = 0;
  virtual CopyReport copy(const CopyRequest& request, ResultSink& sink) = 0;
  virtual BackupRepairReport repair(const RepairRequest& request, ResultSink& sink) = 0;
  // What a path of a backup holds: (path, kind, size_bytes, rows). An empty path: all there is.
  virtual void ls(const RepositoryAddress& repository, const std::string& backup,
                  const std::string& path, ResultSink& sink) = 0;
  // The bytes of a file of a backup.
  virtual void cat(const RepositoryAddress& repository, const std::string& backup,
                   const std::string& path, int output_fd, ResultSink& sink) = 0;
  virtual ExportReport export_backup(const ExportRequest& request, ResultSink& sink) = 0;
  // config: of the home that is to be; its folder is empty or not there.
  virtual DrillReport drill(const ConfigRequest& config, const DrillRequest& request,
                            ResultSink& sink) = 0;
  // One row a drill, the oldest first.
  virtual void list_drills(const RepositoryAddress& repository, ResultSink& sink) = 0;
  // By the first digits of its id, or "latest".
  virtual KeptDrill show_drill(const RepositoryAddress& repository, const std::string& id,
                               ResultSink& sink) = 0;
  // Throws kIntegrity for a report that was changed, or that another key has signed.
  virtual CheckedDrill check_drill(const DrillCheck& check, ResultSink& sink) = 0;
  // The public keys that reports of the repository are signed with: one, but see the format.
  virtual std::vector<std::string> drill_keys(const RepositoryAddress& repository,
                                              ResultSink& sink) = 0;
  // One row a key: (id, kind, label, created_at).
  virtual void list_keys(const RepositoryAddress& repository, ResultSink& sink) = 0;
  // Gives its id.
  virtual std::string add_key(const RepositoryAddress& repository, const NewKey& key,
                              ResultSink& sink) = 0;
  virtual void remove_key(const RepositoryAddress& repository, const std::string& id,
                          ResultSink& sink) = 0;
  virtual void rotate_keys(const RepositoryAddress& repository, ResultSink& sink) = 0;
  virtual RestoreReport restore(const ConfigRequest& config, const RestoreRequest& request,
                                ResultSink& sink) = 0;
  virtual RestorePlan plan_restore(const ConfigRequest& config, const RestoreRequest& request,
                                   ResultSink& sink) = 0;
  // Into a home that is there, while others work with it.
  virtual RescueReport rescue(const Config& config, const RescueRequest& request,
                              ResultSink& sink) = 0;
  virtual TableRestoreReport restore_table(const Config& config, const TableRestoreRequest& request,
                                           ResultSink& sink) = 0;
  virtual MediaRestoreReport restore_media(const Config& config, const MediaRestoreRequest& request,
                                           ResultSink& sink) = 0;
  // Of the home that was backed up, as the backup says.
  virtual RootReport roots(const RepositoryAddress& repository, const std::string& backup,
                           const RootRequest& request, ResultSink& sink) = 0;
  virtual ScheduleReport schedule_run(const Config& config, const ScheduleRequest& request,
                                      ResultSink& sink) = 0;
  // One row a task: (task, calendar, last, outcome, error, next).
  virtual void schedule_show(const Config& config, ResultSink& sink) = 0;
};

std::unique_ptr<Recovery> make_recovery();

}  // namespace coppice
