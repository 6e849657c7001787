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
           "differ. An interrupted restore goes on when it is called again. With --table one table "
           "comes into a home that is there, under another name; with --into rows or cells of it "
           "come "
           "back into the table itself, as one operation that revert undoes; with --media-only the "
           "media that "
           "a home has lost. Backups of other data come back with --to-files and --to-database.",
       .options = with_repository(
           {{.name = "--backup", .value = "BACKUP", .doc = "Its id; without it the latest."},
            {.name = "--at",
             .value = "TIME",
             .doc = "The newest backup that is not later than TIME."},
            {.name = "--table",
             .value = "TABLE",
             .doc =
                 "One table, into a home that is there; also films.film:12, or films.film:TIME."},
            {.name = "--as", .value = "NAME", .doc = "With --table: its name, which is free."},
            {.name = "--into",
             .value = "TABLE",
             .doc = "With --table and --where: rows of it back into a table that is there."},
            {.name = "--where",
             .value = "CONDITION",
             .doc = "With --into: which rows, as an SQL expression over the backup's columns."},
            {.name = "--columns",
             .value = "COLUMNS",
             .doc = "With --into: only these cells, of rows that are there: title,year.",
             .repeated = true},
            {.name = "--media-only",
             .doc = "The media objects that a home names and does not have, or has damaged."},
            {.name = "--to-files",
             .value = "FOLDER",
             .doc = "Of a backup of other data: its files, below FOLDER, which is empty or not "
                    "there.",
             .offer = Offer::kFolder},
            {.name = "--to-database",
             .value = "URL",
             .doc = "Of a backup of other data: its dump, by pg_restore, into an empty database."},
            {.name = "--dry-run",
             .doc = "Say what would be read, how long it may take and what would be lost; write "
                    "nothing."}}),
       .examples = {{"coppice restore --repo /backup/films --home /srv/films", ""},
                    {"coppice restore --repo /backup/films --at '2026-11-22 10:00+00' --home /tmp/"
                     "films",
                     "as it was then"},
                    {"coppice restore --repo /backup/films --table films.film:12 --as "
                     "films.film_before",
                     "beside the table that is there"},
                    {"coppice restore --repo /backup/films --table films.film --where 'id < 10' "
                     "--columns title --into films.film --dry-run",
                     "what would be set back"},
                    {"coppice restore --repo /backup/shop --to-files /srv/back --to-database "
                     "postgresql:///shop",
                     "a database that is not Coppice's, and folders"}}},
  };
}

}  // namespace coppice::cli
