// Verb functions: what each row of the table of verbs does. A function returns the exit code.
#pragma once

#include <string_view>

#include "cli/session.h"

namespace coppice::cli {

using VerbFunction = int (*)(Session& session);

// Every verb of verbs() has one.
VerbFunction find_verb_function(std::string_view verb);

// home_verbs.cpp
int run_init(Session& session);
int run_status(Session& session);
int run_doctor(Session& session);
int run_stop(Session& session);
int run_version(Session& session);
int run_help(Session& session);
int run_debug_crash_points(Session& session);
int run_debug_man(Session& session);
int run_debug_completion(Session& session);
int run_debug_table_names(Session& session);

// data_verbs.cpp
int run_sql(Session& session);
int run_insert(Session& session);
int run_export(Session& session);
int run_ls(Session& session);
int run_describe(Session& session);
int run_apply(Session& session);
int run_schema_dump(Session& session);
int run_schema_diff(Session& session);

// schedule_verbs.cpp
int run_schedule_run(Session& session);
int run_schedule_show(Session& session);
int run_schedule_install(Session& session);
int run_schedule_remove(Session& session);

// shell.cpp
int run_shell(Session& session);

// version_verbs.cpp
int run_history(Session& session);
int run_diff(Session& session);
int run_revert(Session& session);
int run_snapshot_create(Session& session);
int run_snapshot_drop(Session& session);
int run_snapshot_list(Session& session);
int run_prune(Session& session);

// backup_verbs.cpp
int run_backup_create(Session& session);
// With --pg-dump or --files, --to-files or --to-database.
int run_backup_create_other(Session& session);
int run_restore_other(Session& session);
int run_backup_list(Session& session);
int run_backup_show(Session& session);
int run_backup_verify(Session& session);
int run_backup_forget(Session& session);
int run_backup_prune(Session& session);
int run_backup_ls(Session& session);
int run_backup_cat(Session& session);

// copy_verbs.cpp
int run_backup_copy(Session& session);
int run_backup_confirm(Session& session);
int run_backup_hold(Session& session);
int run_backup_release(Session& session);
int run_backup_bisect(Session& session);
int run_backup_repair(Session& session);

// restore_verbs.cpp
int run_backup_export(Session& session);
int run_restore(Session& session);

// key_verbs.cpp
int run_key_list(Session& session);
int run_key_add(Session& session);
int run_key_remove(Session& session);
int run_key_rotate(Session& session);

// drill_verbs.cpp
int run_drill(Session& session);
int run_drill_list(Session& session);
int run_drill_show(Session& session);
int run_drill_verify(Session& session);
int run_drill_key(Session& session);

// root_verb.cpp
int run_root(Session& session);

// computed_verbs.cpp
int run_lineage(Session& session);
int run_errors(Session& session);
int run_recompute(Session& session);
int run_alter_column(Session& session);
int run_jobs_list(Session& session);
int run_jobs_show(Session& session);
int run_jobs_resume(Session& session);
int run_jobs_work(Session& session);
int run_jobs_pause(Session& session);
int run_jobs_cancel(Session& session);
int run_jobs_wait(Session& session);
int run_jobs_discard(Session& session);
int run_functions(Session& session);
int run_estimate(Session& session);
int run_spending(Session& session);
int run_results_list(Session& session);
int run_results_prune(Session& session);
int run_media_path(Session& session);
int run_media_cat(Session& session);
int run_media_export(Session& session);
int run_media_gc(Session& session);

}  // namespace coppice::cli
