// The rows of the table of verbs about restores, and exports of backups.
#include "cli/verb_rows.h"

namespace coppice::cli {

std::vector<Verb> restore_verbs() {
  return {
      {.name = "backup export",
       .group = kBackups,
       .summary = "Write a backup as SQL for any PostgreSQL, and its media as a tar",
       .details =
           "FOLDER gets backup.sql, for `psql -v ON_ERROR_STOP=1 -f` into an empty database, and "
           "media.tar, for `tar x`. Needs the repository and its key, and neither a home nor "
           "Coppice afterwards. What cannot be without Coppice is named: views that call engine "
           "functions. Exit code 3 when media objects are damaged: all else is there.",
       .arguments = {{.name = "BACKUP",
                      .doc = "Its id, or the first digits of it; without it the latest.",
                      .required = false}},
       .options = with_repository(
           {{.name = "--to",
             .value = "FOLDER",
             .doc = "The folder that is made; it must not be there, or be empty.",
             .offer = Offer::kFolder},
            {.name = "--history",
             .doc = "All kept versions of the rows, too, in the schema coppice_history."}}),
       .examples = {{"coppice backup export --to /tmp/films --repo /backup/films", ""}}},
      {.name = "restore",
       .group = kBackups,
       .summary = "Make a home of a backup, and prove that it is equal",
       .details =
           "The home's folder must be empty or not there; with --database the rows go to an empty "
           "database. Both roots are made again of what was restored; exit code 6 when they "
           "differ. An interrupted restore goes on when it is called again.",
       .options = with_repository(
           {{.name = "--backup", .value = "BACKUP", .doc = "Its id; without it the latest."},
            {.name = "--at",
             .value = "TIME",
             .doc = "The newest backup that is not later than TIME."}}),
       .examples = {{"coppice restore --repo /backup/films --home /srv/films", ""},
                    {"coppice restore --repo /backup/films --at '2026-11-22 10:00+00' --home /tmp/"
                     "films",
                     "as it was then"}}},
  };
}

}  // namespace coppice::cli
