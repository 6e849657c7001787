// The rows of the table of verbs about a second repository: copying to it, and repairing of it.
#include "cli/verb_rows.h"

namespace coppice::cli {

std::vector<Verb> copy_verbs() {
  return {
      {.name = "backup copy",
       .group = kBackups,
       .summary = "Copy backups to another repository",
       .details =
           "Where --to is empty or not there, the copy gets the keys of the repository: packs go "
           "over as they are, and a backup has the same id in both. With a key of its own (--to-…) "
           "everything is decrypted and written anew. What is there already is not sent again; a "
           "copy that was interrupted goes on. Exit code 6, and the names of all that is damaged, "
           "when a backup cannot be read as a whole: all others are copied.",
       .options = with_repository(
           {{.name = "--to",
             .value = "URL",
             .doc = "The other repository: a folder.",
             .offer = Offer::kFolder,
             .required = true},
            {.name = "--backup",
             .value = "ID",
             .doc = "This backup, latest or all (all).",
             .repeated = true},
            {.name = "--to-password-file",
             .value = "FILE",
             .doc = "The other repository's passphrase, where it has keys of its own.",
             .offer = Offer::kFile},
            {.name = "--to-key-file",
             .value = "FILE",
             .doc = "The same, as a key file.",
             .offer = Offer::kFile},
            {.name = "--to-no-encryption",
             .doc = "The other repository is not encrypted, and this one is."}}),
       .examples = {{"coppice backup copy --repo /backup/films --to /mnt/usb/films", ""},
                    {"coppice backup copy --to /mnt/usb/films --backup latest", ""}}},
      {.name = "backup confirm",
       .group = kBackups,
       .summary = "Say that a backup that is suspect is as it should be",
       .details =
           "A backup is suspect when much more was changed, deleted or encrypted since the one "
           "before than is usual (settings watch.…). Until somebody has confirmed it, `backup "
           "forget` and `backup prune` refuse, by hand and by schedule: the good backups stay.",
       .arguments = {{.name = "BACKUP", .doc = "Its id, the first digits of it, or latest."}},
       .options = with_repository(
           {{.name = "--note", .value = "TEXT", .doc = "Why, for those who ask later."}, kYes}),
       .examples = {{"coppice backup confirm 3f2a90c1 --note 'the new encoder'", ""}}},
      {.name = "backup hold",
       .group = kBackups,
       .summary = "Keep a backup, whatever the rules of forgetting say",
       .details =
           "For a release, an audit or a dispute. `backup forget` leaves it alone, by hand and by "
           "schedule, for everybody who uses the repository, until `backup release`.",
       .arguments = {{.name = "BACKUP", .doc = "Its id, the first digits of it, or latest."}},
       .options = with_repository(
           {{.name = "--note", .value = "TEXT", .doc = "Why, for those who ask later."}}),
       .examples = {{"coppice backup hold 3f2a90c1 --note 'audit of 2026'", ""}}},
      {.name = "backup release",
       .group = kBackups,
       .summary = "Let a backup that is held be forgotten again",
       .details = "It stays until `backup forget` takes it.",
       .arguments = {{.name = "BACKUP", .doc = "Its id, the first digits of it, or latest."}},
       .options = with_repository({kYes}),
       .examples = {{"coppice backup release 3f2a90c1", ""}}},
      {.name = "backup bisect",
       .group = kBackups,
       .summary = "Find the first backup, and version, of which an assertion does not hold",
       .details =
           "Backups between a good and a bad one are restored into a scratch home, halving what is "
           "left each time, as `drill` does, and asked. With --table that table alone is restored, "
           "and then its versions are looked at: the one that is named is followed by its "
           "statement.",
       .options = with_repository(
           {{.name = "--assert",
             .value = "SQL",
             .doc = "What must be true: a file of SQL, or a statement; see `coppice drill`.",
             .offer = Offer::kFile,
             .required = true},
            {.name = "--table", .value = "TABLE", .doc = "Restore this table alone."},
            {.name = "--good", .value = "ID", .doc = "Here it holds (the earliest backup)."},
            {.name = "--bad", .value = "ID", .doc = "Here it does not (the latest)."},
            {.name = "--scratch",
             .value = "FOLDER",
             .doc = "Where the scratch home is made (the folder for temporary files).",
             .offer = Offer::kFolder}}),
       .examples = {{"coppice backup bisect --repo /backup/films --table films.film --assert "
                     "'SELECT count(*) > 0 FROM films.film'",
                     ""}}},
      {.name = "backup repair",
       .group = kBackups,
       .summary = "Make again what is damaged or missing in a repository",
       .details =
           "What `backup verify --data` finds is fetched from the repository --from: as it is when "
           "both have the same keys, else decrypted and written anew. Without --from, what can be "
           "made of what is left: indexes, and blobs that are there twice. Nothing that is good is "
           "touched. Exit code 6, and the names of what could not be repaired, when something is "
           "left.",
       .options = with_repository(
           {{.name = "--from",
             .value = "URL",
             .doc = "Another repository with the same backups: a folder.",
             .offer = Offer::kFolder},
            {.name = "--from-password-file",
             .value = "FILE",
             .doc = "Its passphrase, where it has keys of its own.",
             .offer = Offer::kFile},
            {.name = "--from-key-file",
             .value = "FILE",
             .doc = "The same, as a key file.",
             .offer = Offer::kFile},
            {.name = "--from-no-encryption", .doc = "It is not encrypted, and this one is."}}),
       .examples = {{"coppice backup repair --repo /backup/films --from /mnt/usb/films", ""},
                    {"coppice backup repair --repo /backup/films", "of what is left in it"}}},
  };
}

}  // namespace coppice::cli
