// The rows of the table of verbs about the keys of a repository.
#include "cli/verb_rows.h"

namespace coppice::cli {

std::vector<Verb> key_verbs() {
  return {
      {.name = "key list",
       .group = kBackups,
       .summary = "List the passphrases and key files that open a repository",
       .options = with_repository({}),
       .examples = {{"coppice key list --repo /backup/films", ""}}},
      {.name = "key add",
       .group = kBackups,
       .summary = "Add a passphrase or a key file that opens a repository",
       .details = "The repository is opened with the key that it has; no data is written again. "
                  "The new one comes from an option, or is in COPPICE_REPO_NEW_PASSWORD.",
       .options = with_repository(
           {{.name = "--new-password-file",
             .value = "FILE",
             .doc = "The new passphrase is in FILE, which only you can read.",
             .offer = Offer::kFile},
            {.name = "--new-password-command",
             .value = "COMMAND",
             .doc = "COMMAND prints the new passphrase; it is not given to a shell."},
            {.name = "--new-key-file",
             .value = "FILE",
             .doc = "The new key is the bytes of FILE: 32 random bytes or more.",
             .offer = Offer::kFile},
            {.name = "--label", .value = "TEXT", .doc = "Whose it is, for key list."}}),
       .examples = {{"coppice key add --repo /backup/films --new-key-file /safe/films.key "
                     "--label 'the safe'",
                     ""}}},
      {.name = "key remove",
       .group = kBackups,
       .summary = "Take a passphrase or key file away, and begin a new key for new data",
       .details = "It opens the repository no more, and nothing that is written from now on. Who "
                  "has kept a copy of the repository and of that key can still read what was "
                  "written before.",
       .arguments = {{.name = "KEY", .doc = "Its id, or the first digits of it."}},
       .options = with_repository({kYes}),
       .examples = {{"coppice key remove 3f2a90c1 --repo /backup/films", ""}}},
      {.name = "key rotate",
       .group = kBackups,
       .summary = "Begin a new key for new data; what there is stays readable",
       .options = with_repository({}),
       .examples = {{"coppice key rotate --repo /backup/films", ""}}},
  };
}

}  // namespace coppice::cli
