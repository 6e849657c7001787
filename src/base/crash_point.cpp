#include "base/crash_point.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include "base/error.h"

namespace coppice {
namespace {

struct Registered {
  std::string_view name;
  std::string_view meaning;
};

constexpr Registered kPoints[] = {
    {"operation.drawn", "an operation has its id and is listed, nothing else is done"},
    {"direct.written", "a direct statement has written its rows, not published"},
    {"direct.before_commit", "a direct statement is published but its transaction is open"},
    {"direct.after_commit", "a direct statement is committed, the client does not know yet"},
    {"stage.sources", "the source rows of a staged statement are stored"},
    {"stage.batch_computed", "a batch is computed, its results are not stored"},
    {"results.piece_made", "calls are made, and their results are not kept yet"},
    {"results.piece_kept", "the results of some calls are kept"},
    {"stage.batch_stored", "a batch of results is stored"},
    {"stage.all_stored", "every batch is stored, publishing has not begun"},
    {"publish.rows_moved", "staged rows are in the store, the tree is not locked"},
    {"publish.before_commit", "the version is taken, the transaction is open"},
    {"publish.after_commit", "a staged operation is published, its staging is not cleaned up"},
    {"fill.column_added", "the hidden column of a fill exists, no range is filled"},
    {"fill.range_computed", "a range of a fill is computed, not stored"},
    {"fill.range_stored", "a range of a fill is stored"},
    {"fill.before_publish", "every range of a fill is stored, the column is hidden"},
    {"view.batch_computed", "an iterator has given rows for a batch, they are not stored"},
    {"view.batch_stored", "the rows of a batch of an iterator are stored"},
    {"view.before_publish", "the rows of a new materialized view are stored, nobody sees them"},
    {"view.before_commit", "a new materialized view is published but its transaction is open"},
    {"backup.point_read", "a backup has read the catalog, and no rows"},
    {"backup.table_read", "a backup has read a table"},
    {"backup.media_read", "a backup has stored the media"},
    {"backup.before_commit", "all that a backup names is stored, its manifest is not"},
    {"backup.committed", "the manifest of a backup is stored"},
    {"copy.keys_stored", "a copy of a repository has its keys, and is none yet"},
    {"copy.pack_stored", "a pack is copied, no index names it"},
    {"copy.before_manifest", "all that a copied backup reaches is there, its manifest is not"},
    {"copy.manifest_stored", "the manifest of a copied backup is stored"},
    {"key.access_stored", "a new key opens the repository, and that is not told"},
    {"key.epoch_stored", "what is written from now on has new keys, and that is not told"},
    {"key.before_removal", "a key that is to go has not got the newest epoch, and is there"},
    {"repair.removed", "a damaged object is removed, the good one is not there yet"},
    {"repair.written_again", "what a damaged pack had is in others, it is still there"},
    {"other_data.dump_read", "the dump of a database is stored, nothing names it"},
    {"other_data.folder_read", "a folder is stored, with all below it"},
    {"restore.step_done", "a restore has finished a step of its own"},
    {"restore.table_loaded", "a restore has loaded a table"},
    {"restore.media_part", "a restore has written a part of the media"},
    {"restore.proven", "a restore is done, and the home is still closed"},
    {"other_data.file_written", "a restore has written a file of other people's"},
    {"other_data.dump_loaded", "a dump is restored, and that is not told"},
    {"rescue.media_there", "the media of rescued rows are there, and no row is written"},
    {"restore_table.media_there", "a table's media are restored, and nothing else of it"},
    {"restore_table.rows_written", "a table is restored, in a transaction that is open"},
    {"export.sql_written", "an export has written the rows, under another name"},
    {"export.before_rename", "an export is written, its folder has another name"},
    {"schedule.task_begun", "a task of the schedule is noted as running, nothing of it is done"},
    {"schedule.task_done", "a task of the schedule is done, its outcome is not noted"},
    {"revert.rows_written", "a revert has written its rows, not published"},
    {"revert.before_commit", "a revert is published but its transaction is open"},
    {"media.object_written", "a media object's temporary file is complete, not renamed"},
};

}  // namespace

std::vector<CrashPointInfo> crash_points() {
  std::vector<CrashPointInfo> result;
  for (const Registered& point : kPoints) {
    result.push_back({std::string(point.name), std::string(point.meaning)});
  }
  return result;
}

bool test_hooks_enabled() {
  const char* value = std::getenv("COPPICE_TEST");
  return value != nullptr && std::string_view(value) == "1";
}

void reach_crash_point(std::string_view name) {
  if (!test_hooks_enabled()) return;
  const bool registered = std::any_of(std::begin(kPoints), std::end(kPoints),
                                      [&](const Registered& point) { return point.name == name; });
  COPPICE_ASSERT(registered);
  const char* wanted_text = std::getenv("COPPICE_CRASH_AT");
  if (wanted_text == nullptr) return;
  std::string_view wanted = wanted_text;
  int countdown_from = 1;
  if (const std::size_t colon = wanted.rfind(':'); colon != std::string_view::npos) {
    countdown_from = std::atoi(wanted_text + colon + 1);
    wanted = wanted.substr(0, colon);
  }
  if (wanted != name) return;
  static std::atomic<int> reached = 0;
  if (++reached == countdown_from) ::kill(::getpid(), SIGKILL);
}

}  // namespace coppice
