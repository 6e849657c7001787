// The rows of the table of verbs about backups and restores.
#include "cli/verb_rows.h"

namespace coppice::cli {
namespace {

constexpr Option kRepository = {.name = "--repo",
                                .value = "URL",
                                .doc = "The repository: a folder (setting backup.repository).",
                                .offer = Offer::kFolder};
constexpr Option kPasswordFile = {
    .name = "--password-file",
    .value = "FILE",
    .doc = "The repository's passphrase is in FILE, which only you can read.",
    .offer = Offer::kFile};
constexpr Option kPasswordCommand = {
    .name = "--password-command",
    .value = "COMMAND",
    .doc = "COMMAND prints the repository's passphrase; it is not given to a shell."};
constexpr Option kKeyFile = {
    .name = "--key-file",
    .value = "FILE",
    .doc = "The repository's key is the bytes of FILE: 32 random bytes or more.",
    .offer = Offer::kFile};
constexpr Option kLimitRate = {
    .name = "--limit-rate",
    .value = "KIB",
    .doc =
        "At most so many KiB a second go to and from the repository (setting "
        "backup.limit_rate)."};
constexpr Option kNoEncryption = {
    .name = "--no-encryption",
    .doc = "The repository is not encrypted: who reads its files reads everything."};
constexpr Argument kBackup = {.name = "BACKUP",
                              .doc = "Its id, the first digits of it, or latest."};

}  // namespace

std::vector<Option> with_repository(std::vector<Option> options) {
  std::vector<Option> all = {kRepository, kPasswordFile, kPasswordCommand,
                             kKeyFile,    kNoEncryption, kLimitRate};
  options.insert(options.end(), all.begin(), all.end());
  return options;
}

std::vector<Verb> backup_verbs() {
  return {
      {.name = "backup create",
       .group = kBackups,
       .summary = "Back up a home at one point while writers go on; or any database, and folders",
       .details =
           "The first backup makes the repository. Later ones read and store what has changed; "
           "each is complete by itself. The passphrase is in COPPICE_REPO_PASSWORD, or where an "
           "option or the setting backup.password says. Exit code 3 when media objects could not "
           "be read: all else is stored. With --pg-dump or --files it is a backup of that data, "
           "and needs no home; exit code 3 when a file could not be read, or changed meanwhile.",
       .arguments = {{.name = "PATH",
                      .doc = "Behind --files: more folders, or files.",
                      .required = false,
                      .repeated = true,
                      .offer = Offer::kFolder}},
       .options = with_repository(
           {{.name = "--tag", .value = "WORD", .doc = "A word to know it by.", .repeated = true},
            {.name = "--full", .doc = "Read and store everything, also what earlier backups have."},
            {.name = "--pg-dump",
             .value = "URL",
             .doc = "A PostgreSQL database, through pg_dump. A URL with a password is best given "
                    "as env:NAME or file:/path; a password may be in PGPASSWORD or ~/.pgpass."},
            {.name = "--files",
             .value = "PATH",
             .doc = "A folder, or a file.",
             .repeated = true,
             .offer = Offer::kFolder},
            {.name = "--exclude",
             .value = "PATTERN",
             .doc = "Leave out what matches: '*.tmp', 'cache/*', '/srv/data/log'.",
             .repeated = true}}),
       .examples = {{"coppice backup create --repo /backup/films", ""},
                    {"coppice backup create --repo /backup/shop --pg-dump env:SHOP_URL --files "
                     "/srv/shop",
                     "a database and the files that belong to it"},
                    {"coppice backup create --repo /backup/films --tag before-migration --json",
                     ""}}},
      {.name = "backup list",
       .group = kBackups,
       .summary = "List the backups of a repository",
       .options = with_repository({}),
       .examples = {{"coppice backup list --repo /backup/films", ""}}},
      {.name = "backup show",
       .group = kBackups,
       .summary = "Show what a backup holds",
       .arguments = {kBackup},
       .options = with_repository({}),
       .examples = {{"coppice backup show 3f2a90c1 --repo /backup/films", ""}}},
      {.name = "backup verify",
       .group = kBackups,
       .summary = "Check that backups can be restored",
       .details =
           "Without options: that all that the backups need is there. --data reads it, too; --rows "
           "makes the sums of the rows again, and compares them with the roots. Exit code 6, and "
           "the names of all that is damaged, when something is.",
       .arguments = {{.name = "BACKUP", .doc = "With --rows: this one alone.", .required = false}},
       .options = with_repository(
           {{.name = "--data", .doc = "Read every blob, and check it."},
            {.name = "--share", .value = "PERCENT", .doc = "Of the packs, so many by chance: 10%."},
            {.name = "--part",
             .value = "K/N",
             .doc = "Of the packs, the k-th of n parts: n runs read all."},
            {.name = "--rows", .doc = "Make the sums of the rows again."}}),
       .examples = {{"coppice backup verify --repo /backup/films", ""},
                    {"coppice backup verify --repo /backup/films --data --rows", "all of it"}}},
      {.name = "backup forget",
       .group = kBackups,
       .summary = "Forget backups by name, or all that rules do not keep",
       .details =
           "Rules keep the latest backup of each of the last N hours, days, … that have one; a "
           "backup stays when any rule keeps it. The space is freed by `backup prune`.",
       .arguments = {{.name = "BACKUP", .doc = "Its id.", .required = false, .repeated = true}},
       .options = with_repository(
           {{.name = "--keep-last", .value = "N", .doc = "The last N."},
            {.name = "--keep-hourly", .value = "N", .doc = "One of each of N hours."},
            {.name = "--keep-daily", .value = "N", .doc = "One of each of N days."},
            {.name = "--keep-weekly", .value = "N", .doc = "One of each of N weeks."},
            {.name = "--keep-monthly", .value = "N", .doc = "One of each of N months."},
            {.name = "--keep-yearly", .value = "N", .doc = "One of each of N years."},
            {.name = "--keep-within",
             .value = "AGE",
             .doc = "All that are not older than that before the latest: '30 days'."},
            {.name = "--keep-tag",
             .value = "WORD",
             .doc = "All that have this tag.",
             .repeated = true},
            kDryRun,
            kYes}),
       .examples = {{"coppice backup forget --keep-daily 7 --keep-monthly 12 --dry-run", ""}}},
      {.name = "backup prune",
       .group = kBackups,
       .summary = "Free what no backup needs",
       .details =
           "What nothing needs is marked, and removed by a later call, when the mark is older than "
           "the waiting time: backups that are being made may still rely on it.",
       .options = with_repository(
           {{.name = "--wait",
             .value = "HOURS",
             .doc = "The waiting time (24); longer than any backup takes. 0 only when nobody else "
                    "uses the repository."},
            kDryRun,
            kYes}),
       .examples = {{"coppice backup prune --repo /backup/films", ""}}},
      {.name = "backup ls",
       .group = kBackups,
       .summary = "List the files of a backup: tables, media, code, settings",
       .arguments = {{.name = "BACKUP[:PATH]", .doc = "Its id, and what is to be listed."}},
       .options = with_repository({}),
       .examples = {{"coppice backup ls 3f2a90c1:tables --repo /backup/films", ""}}},
      {.name = "backup cat",
       .group = kBackups,
       .summary = "Print a file of a backup",
       .arguments = {{.name = "BACKUP:PATH", .doc = "Its id and a path that `backup ls` shows."}},
       .options = with_repository({}),
       .examples = {{"coppice backup cat 3f2a90c1:tables/films.film.tsv --repo /backup/films",
                     "the rows, in the text form of COPY"}}},
  };
}

}  // namespace coppice::cli
