#include "recovery/forget.h"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "engine/emit.h"
#include "recovery/time_text.h"
#include "recovery/watch.h"
#include "repo/collector.h"

namespace coppice::recovery {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::sys_time;

using Moment = sys_time<microseconds>;

// The hour, day, … that a backup is of, as a word.
struct Period {
  const char* name;
  std::uint32_t KeepRules::*count;
  std::string (*word)(Moment moment);
};

std::string hour_word(Moment moment) {
  return fmt::format("{:%Y-%m-%d %H}h", std::chrono::floor<hours>(moment));
}
std::string day_word(Moment moment) {
  return fmt::format("{:%Y-%m-%d}", std::chrono::floor<days>(moment));
}
// The day on which the week began: a Monday.
std::string week_word(Moment moment) {
  const auto day = std::chrono::floor<days>(moment);
  const std::chrono::weekday weekday(day);
  return fmt::format("{:%Y-%m-%d}", day - days(weekday.iso_encoding() - 1));
}
std::string month_word(Moment moment) {
  return fmt::format("{:%Y-%m}", std::chrono::floor<days>(moment));
}
std::string year_word(Moment moment) {
  return fmt::format("{:%Y}", std::chrono::floor<days>(moment));
}

constexpr Period kPeriods[] = {
    {"hourly", &KeepRules::hourly, hour_word}, {"daily", &KeepRules::daily, day_word},
    {"weekly", &KeepRules::weekly, week_word}, {"monthly", &KeepRules::monthly, month_word},
    {"yearly", &KeepRules::yearly, year_word},
};

Moment moment_of(const KnownBackup& backup) {
  return Moment(microseconds(time_in(backup.manifest.moment)));
}

// `newest`: indexes of the backups of one home, the newest first.
void keep_some(const std::vector<std::size_t>& newest, const KeepRules& keep,
               std::vector<Fate>& fates) {
  for (std::size_t i = 0; i < newest.size() && i < keep.last; ++i) {
    fates[newest[i]].why.push_back(fmt::format("last {}", keep.last));
  }
  for (const Period& period : kPeriods) {
    std::set<std::string> seen;
    for (const std::size_t index : newest) {
      const std::string word = period.word(moment_of(*fates[index].backup));
      if (seen.size() == keep.*period.count) break;
      if (!seen.insert(word).second) continue;
      fates[index].why.push_back(fmt::format("{} {}", period.name, word));
    }
  }
  if (keep.within) {
    const Moment since = moment_of(*fates[newest[0]].backup) - microseconds(age_us(*keep.within));
    for (const std::size_t index : newest) {
      if (moment_of(*fates[index].backup) < since) continue;
      fates[index].why.push_back("within " + *keep.within);
    }
  }
}

void show(const std::vector<Fate>& fates, bool dry_run, ResultSink& sink) {
  engine::RowsOut rows(sink, {{"id", "text"},
                              {"moment", "timestamp with time zone"},
                              {"tags", "text"},
                              {"fate", "text"},
                              {"why", "text"}});
  for (const Fate& fate : fates) {
    rows.row({short_backup_id(fate.backup->id.hex()), fate.backup->manifest.moment,
              join(fate.backup->manifest.tags, ","),
              fate.kept ? "kept" : (dry_run ? "would go" : "forgotten"), join(fate.why, ", ")});
  }
  rows.end();
}

std::vector<Fate> fates_of_named(const std::vector<KnownBackup>& backups,
                                 const std::vector<std::string>& ids, const Holds& holds) {
  std::set<const KnownBackup*> named;
  for (const std::string& id : ids) {
    const KnownBackup& backup = backup_named(backups, id);
    named.insert(&backup);
    const auto hold = holds.find(backup.id);
    if (hold == holds.end()) continue;
    const std::string word = short_backup_id(backup.id.hex());
    throw Error(ErrorCode::kRefused,
                fmt::format("the backup {} is held {}", word, hold->second.text()),
                fmt::format("if that is over: coppice backup release {}", word));
  }
  std::vector<Fate> all;
  for (const KnownBackup& backup : backups) {
    const bool goes = named.contains(&backup);
    all.push_back({&backup, !goes, {}});
    if (goes) all.back().why.emplace_back("was named");
  }
  return all;
}

}  // namespace

std::vector<Fate> fates(const std::vector<KnownBackup>& backups, const KeepRules& keep,
                        const Holds& holds) {
  std::vector<Fate> all;
  std::map<std::string, std::vector<std::size_t>> of_home;
  for (const KnownBackup& backup : backups) {
    all.push_back({&backup, false, {}});
    auto& newest = of_home[backup.manifest.home_id];
    newest.insert(newest.begin(), all.size() - 1);
    for (const std::string& tag : backup.manifest.tags) {
      if (std::find(keep.tags.begin(), keep.tags.end(), tag) == keep.tags.end()) continue;
      all.back().why.push_back("tag " + tag);
    }
  }
  for (const auto& [home, newest] : of_home) keep_some(newest, keep, all);
  for (Fate& fate : all) {
    if (holds.contains(fate.backup->id)) fate.why.emplace_back("held");
  }
  for (Fate& fate : all) fate.kept = !fate.why.empty();
  return all;
}

void forget_backups(const ForgetRequest& request, ResultSink& sink) {
  if (request.backups.empty() && !request.keep.any()) {
    throw Error(ErrorCode::kUsage, "nothing says which backups are to be forgotten",
                "name them, or say what stays: --keep-last 7 --keep-monthly 12");
  }
  if (!request.backups.empty() && request.keep.any()) {
    throw Error(ErrorCode::kUsage, "backups were named together with rules of what to keep",
                "give one or the other");
  }
  const OpenRepository open = open_repository(request.repository, sink);
  std::vector<KnownBackup> backups = known_backups(*open.repository, sink);
  if (request.home_id) {
    std::erase_if(backups, [&](const KnownBackup& backup) {
      return backup.manifest.home_id != *request.home_id;
    });
  }
  const Holds holds = read_holds(*open.repository);
  const std::vector<Fate> all = request.backups.empty()
                                    ? fates(backups, request.keep, holds)
                                    : fates_of_named(backups, request.backups, holds);
  const bool keeps_any =
      std::any_of(all.begin(), all.end(), [](const Fate& fate) { return fate.kept; });
  if (request.backups.empty() && !keeps_any && !all.empty()) {
    throw Error(ErrorCode::kRefused, "by these rules no backup would stay",
                "to forget the last ones, too, name them");
  }
  if (!request.dry_run) {
    const Confirmations confirmations = read_confirmations(*open.repository, sink);
    refuse_suspects(backups, confirmations, "forgotten");
    for (const Fate& fate : all) {
      if (fate.kept) continue;
      open.repository->remove_manifest(fate.backup->id);
      const auto said = confirmations.find(fate.backup->id);
      if (said == confirmations.end()) continue;
      open.store->remove(repo::object_name(repo::kConfirmationFolder, said->second.object));
    }
  }
  show(all, request.dry_run, sink);
}

CollectReport collect_garbage(const CollectRequest& request, ResultSink& sink) {
  const OpenRepository open = open_repository(request.repository, sink);
  if (!request.dry_run) {
    refuse_suspects(known_backups(*open.repository, sink),
                    read_confirmations(*open.repository, sink), "removed");
  }
  repo::CollectOptions options;
  options.wait = std::chrono::seconds(static_cast<std::int64_t>(request.wait_hours * 3600));
  options.dry_run = request.dry_run;
  const repo::CollectCounts marked = repo::mark_garbage(*open.repository, options);
  const repo::CollectCounts swept = repo::sweep_garbage(*open.repository, options);
  CollectReport report;
  report.packs = marked.packs;
  report.marked_packs = marked.marked_packs;
  report.marked_bytes = marked.marked_bytes;
  report.removed_packs = swept.removed_packs;
  report.removed_bytes = swept.removed_bytes;
  return report;
}

}  // namespace coppice::recovery
