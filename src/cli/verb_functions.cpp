#include "cli/verb_functions.h"

#include "base/error.h"

namespace coppice::cli {
namespace {

struct Entry {
  std::string_view verb;
  VerbFunction function;
};

constexpr Entry kFunctions[] = {
    {"init", run_init},
    {"sql", run_sql},
    {"shell", run_shell},
    {"insert", run_insert},
    {"export", run_export},
    {"ls", run_ls},
    {"describe", run_describe},
    {"apply", run_apply},
    {"schema dump", run_schema_dump},
    {"schema diff", run_schema_diff},
    {"history", run_history},
    {"diff", run_diff},
    {"revert", run_revert},
    {"snapshot create", run_snapshot_create},
    {"snapshot drop", run_snapshot_drop},
    {"snapshot list", run_snapshot_list},
    {"prune", run_prune},
    {"lineage", run_lineage},
    {"errors", run_errors},
    {"recompute", run_recompute},
    {"alter-column", run_alter_column},
    {"jobs list", run_jobs_list},
    {"jobs show", run_jobs_show},
    {"jobs resume", run_jobs_resume},
    {"jobs work", run_jobs_work},
    {"jobs pause", run_jobs_pause},
    {"jobs cancel", run_jobs_cancel},
    {"jobs wait", run_jobs_wait},
    {"jobs discard", run_jobs_discard},
    {"functions", run_functions},
    {"estimate", run_estimate},
    {"spending", run_spending},
    {"results list", run_results_list},
    {"results prune", run_results_prune},
    {"media path", run_media_path},
    {"media cat", run_media_cat},
    {"media export", run_media_export},
    {"media gc", run_media_gc},
    {"status", run_status},
    {"doctor", run_doctor},
    {"backup create", run_backup_create},
    {"backup list", run_backup_list},
    {"backup show", run_backup_show},
    {"backup verify", run_backup_verify},
    {"backup forget", run_backup_forget},
    {"backup prune", run_backup_prune},
    {"backup copy", run_backup_copy},
    {"backup confirm", run_backup_confirm},
    {"backup hold", run_backup_hold},
    {"backup release", run_backup_release},
    {"backup bisect", run_backup_bisect},
    {"backup repair", run_backup_repair},
    {"backup ls", run_backup_ls},
    {"backup cat", run_backup_cat},
    {"backup export", run_backup_export},
    {"restore", run_restore},
    {"key list", run_key_list},
    {"key add", run_key_add},
    {"key remove", run_key_remove},
    {"key rotate", run_key_rotate},
    {"drill run", run_drill},
    {"drill list", run_drill_list},
    {"drill show", run_drill_show},
    {"drill verify", run_drill_verify},
    {"drill key", run_drill_key},
    {"schedule show", run_schedule_show},
    {"schedule run", run_schedule_run},
    {"schedule install", run_schedule_install},
    {"schedule remove", run_schedule_remove},
    {"root", run_root},
    {"stop", run_stop},
    {"version", run_version},
    {"help", run_help},
    {"debug crash-points", run_debug_crash_points},
    {"debug man", run_debug_man},
    {"debug completion", run_debug_completion},
    {"debug table-names", run_debug_table_names},
};

}  // namespace

VerbFunction find_verb_function(std::string_view verb) {
  for (const Entry& entry : kFunctions) {
    if (entry.verb == verb) return entry.function;
  }
  COPPICE_ASSERT(false);
  return nullptr;
}

}  // namespace coppice::cli
