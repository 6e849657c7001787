// Forgetting backups, and freeing what no backup needs any more.
//
// Model    Rules keep the latest backup of each of the last n hours, days, weeks, months or years
//          in which there was one, by the backups' own times in UTC; a backup that any rule keeps
//          stays. Backups of different homes are looked at by themselves.
// Errors   kUsage for rules that keep nothing; kNotFound for an id.
#pragma once

#include <string>
#include <vector>

#include "recovery/holds.h"
#include "recovery/open_repository.h"

namespace coppice::recovery {

struct Fate {
  const KnownBackup* backup = nullptr;
  bool kept = false;
  std::vector<std::string> why;  // "last 3", "daily 2026-11-22", "tag release", "held", "was named"
};

// In the order of `backups`, which is that of their points.
// Those that are held stay, too.
std::vector<Fate> fates(const std::vector<KnownBackup>& backups, const KeepRules& keep,
                        const Holds& holds = {});

void forget_backups(const ForgetRequest& request, ResultSink& sink);
CollectReport collect_garbage(const CollectRequest& request, ResultSink& sink);

}  // namespace coppice::recovery
