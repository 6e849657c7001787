// The watch over backups: those that are suspect stop forgetting and collecting until somebody has
// looked at them, and confirmed them.
//
// Model    That a backup is suspect is in its manifest; that somebody has looked, in an object of
//          the repository: so it holds for everybody who uses the repository, and not for who has
//          taken over one home.
// Errors   kRefused, naming the backups, where they stop something; kNotFound and kUsage for ids.
// Source   docs/formats/repository.md, "Confirmations"
#pragma once

#include <map>
#include <string>
#include <vector>

#include "recovery/open_repository.h"
#include "recovery/suspicion.h"

namespace coppice::recovery {

struct Confirmation {
  repo::ObjectId object;  // that says it
  std::string note, by, host, confirmed_at;
};
using Confirmations = std::map<repo::ObjectId, Confirmation>;  // by backup

// Damaged ones are told, and do not count.
Confirmations read_confirmations(const repo::Repository& repository, ResultSink& sink);

// The latest backup of the home, if it has any, else `parent`.
const KnownBackup* latest_of(const std::vector<KnownBackup>& backups, const std::string& home_id,
                             const KnownBackup* parent);
// What is usual for the home of `base`: of its backups that nobody suspects or somebody confirmed.
std::vector<Measures> past_measures(const std::vector<KnownBackup>& backups,
                                    const KnownBackup* base, const Confirmations& confirmations);

// `what`: "forgotten".
void refuse_suspects(const std::vector<KnownBackup>& backups, const Confirmations& confirmations,
                     std::string_view what);

// "suspect", "confirmed", or empty.
std::string watch_word(const KnownBackup& backup, const Confirmations& confirmations);

// Gives the id of the backup.
std::string confirm_backup(const ConfirmRequest& request, ResultSink& sink);

// Those of a backup, in another repository in which it has the id `as`.
void copy_confirmation(const repo::Repository& from, const repo::ObjectId& backup,
                       repo::Repository& to, const repo::ObjectId& as, ResultSink& sink);

}  // namespace coppice::recovery
