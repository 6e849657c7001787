// Random histories of a repository: clients whose calls are mixed one by one back up, read, forget,
// mark, sweep and repair, while time passes; some die, and stores fail, give no answer or lie.
// After each of them, what is there reads back as a plain model says.
//
// A seed is run again by COPPICE_TEST_SEED, in the same way; a failure prints it, and what
// happened.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "repo/check.h"
#include "repo/collector.h"
#include "repo/index_repair.h"
#include "repo/marks.h"
#include "repo/reach.h"
#include "repo/repo_fixture.h"
#include "repo/testing/clients.h"
#include "repo/testing/counted_backups.h"
#include "repo/testing/seeded_random.h"

namespace coppice::repo {
namespace {

constexpr std::int64_t kMinute = std::int64_t{60} * 1'000'000;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kEver = std::int64_t{1} << 62;
constexpr int kSteps = 70;
// A client at work, and what the model must know of it.
struct Running {
  std::string what;
  int number = 0;
  std::int64_t began_us = 0;
  std::int64_t until_us = kEver;  // it would have noticed that more time had passed, or is not made
                                  // for it
  std::int64_t may_conflict_us = kEver;  // a backup that takes longer may be refused
  int most_calls = 60;                   // at a time
  std::optional<ObjectId> reads;
  std::unique_ptr<Client> client;  // last: it ends before the others go
};

class History {
 public:
  explicit History(std::uint32_t seed)
      : random_(seed),
        lying_(seed % 4 == 0),
        drawn_(seed),
        opener_(seed % 3 == 0 ? Opener(kKeyFile) : std::nullopt),
        repository_(Repository::create(store_, opener_, clock_)) {}

  // What went wrong; empty if nothing did.
  std::string run(int steps) {
    try {
      for (int step = 0; step < steps; ++step) {
        next_step();
        if (!wrong_.empty()) return report();
      }
      finish();
    } catch (const Error& error) {
      wrong_ = "the test itself: " + error.message();
    } catch (const std::exception& error) {
      wrong_ = fmt::format("the test itself: {}", error.what());
    }
    return wrong_.empty() ? "" : report();
  }
  const std::vector<std::string>& log() const { return log_; }

 private:
  int pick(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }
  bool chance(int percent) { return pick(100) < percent; }
  std::string report() const { return fmt::format("{}\nafter\n{}", wrong_, fmt::join(log_, "\n")); }

  void next_step() {
    const int what = pick(100);
    if (running_.empty() || (what < 30 && running_.size() < 4)) {
      begin();
    } else if (what < 42) {
      let_time_pass();
    } else if (what < 44) {
      kill(pick(static_cast<int>(running_.size())));
    } else {
      take_turn(pick(static_cast<int>(running_.size())));
    }
  }

  // Clients begin.

  ClientFaults draw_faults(bool may_lie) {
    ClientFaults faults;
    const auto n = static_cast<std::uint64_t>(1 + pick(40));
    const int what = pick(100);
    if (what < 8) faults.fails = n;
    if (what >= 8 && what < 12) faults = {.fails = n, .and_after = true};
    if (what >= 12 && what < 20) faults.no_answer = n;
    if (lying_ && may_lie && what >= 85) faults = {.lies = n, .torn = chance(50)};
    return faults;
  }

  Running& start(const std::string& what, bool may_lie,
                 std::function<void(ObjectStore&, Running&)> work) {
    Running& it = *running_.emplace_back(std::make_unique<Running>());
    it.what = what;
    it.number = ++numbers_;
    it.began_us = clock_.now;
    if (chance(40)) it.most_calls = 5;
    it.client = std::make_unique<Client>(
        store_, draw_faults(may_lie),
        [&it, work = std::move(work)](ObjectStore& store, Client&) { work(store, it); });
    log_.push_back(fmt::format("{} begins: {}", it.number, it.what));
    return it;
  }

  void begin() {
    const int what = pick(100);
    if (what < 45) return begin_backup_of(draw_content());
    if (what < 60) return begin_forget();
    if (what < 75) return begin_mark();
    if (what < 88) return begin_sweep();
    if (what < 93) return begin_repair();
    begin_reading();
  }

  Content draw_content() {
    const bool changed = !kept_.empty() && chance(80);
    return draw_backup(random_, changed ? any_kept()->second : Content());
  }

  std::map<ObjectId, Content>::iterator any_kept() {
    return std::next(kept_.begin(), pick(static_cast<int>(kept_.size())));
  }

  void begin_backup_of(const Content& content) {
    const int pace = pick(3);
    const CountedBackup backup{
        content, numbers_ + 1,
        std::array{Pace::kQuick, Pace::kMinutes, Pace::kDays}[static_cast<std::size_t>(pace)],
        static_cast<std::uint64_t>(150 + 150 * pick(4))};
    contents_[backup.number] = content;
    Running& it =
        start(fmt::format("backup within {} of {}",
                          std::array{"a minute", "an hour", "days"}[static_cast<std::size_t>(pace)],
                          content),
              true, [this, backup](ObjectStore& store, Running& running) {
                back_up(store, opener_, backup, [&](Phase phase) {
                  running.until_us = latest(running, backup.pace, phase);
                  running.client->wait();
                });
              });
    it.until_us = it.began_us + kMinute - 1;
    it.may_conflict_us = it.began_us + kDay;
    if (backup.pace == Pace::kDays) it.most_calls = 5;
  }

  // What is suspended in its last moment for longer than a collection waits is not in this model.
  std::int64_t latest(const Running& it, Pace pace, Phase phase) const {
    if (pace == Pace::kQuick) return it.until_us;
    if (pace == Pace::kMinutes) return it.began_us + kHour - 1;
    return phase == Phase::kCommits ? clock_.now + 20 * kHour : kEver;
  }

  void begin_forget() {
    if (kept_.empty()) return;
    const ObjectId id = any_kept()->first;
    forgetting_.insert(id);
    start(fmt::format("forget {}", id.hex().substr(0, 8)), false,
          [this, id](ObjectStore& store, Running&) {
            Repository::open(store, opener_).remove_manifest(id);
          });
  }

  void begin_mark() {
    const double dead = std::array{0.0, 0.3, 0.3, 1.0}[static_cast<std::size_t>(pick(4))];
    Running& it = start(fmt::format("mark with a share of {}", dead), true,
                        [this, dead](ObjectStore& store, Running&) {
                          Repository repository = Repository::open(store, opener_);
                          mark_garbage(repository, {.dead_share = dead});
                        });
    it.until_us = it.began_us + 20 * kHour;
  }

  void begin_sweep() {
    start("sweep", true, [this](ObjectStore& store, Running&) {
      Repository repository = Repository::open(store, opener_);
      sweep_garbage(repository, {});
    });
  }

  void begin_repair() {
    Running& it = start("repair the index", false, [this](ObjectStore& store, Running& running) {
      Repository repository = Repository::open(store, opener_);
      running.client->reads_packs_at_once();
      repair_index(repository);
    });
    it.until_us = it.began_us + 20 * kHour;
  }

  void begin_reading() {
    if (kept_.empty()) return;
    const auto backup = any_kept();
    const ObjectId id = backup->first;
    Running& it = start(fmt::format("read {}", id.hex().substr(0, 8)), false,
                        [this, id, content = backup->second](ObjectStore& store, Running& running) {
                          Repository repository = Repository::open(store, opener_);
                          repository.load_index();
                          running.until_us = running.began_us + 20 * kHour;
                          const std::string wrong = read_back(repository, id, content);
                          if (!wrong.empty()) throw Error(ErrorCode::kInternal, wrong);
                        });
    it.reads = id;
    it.until_us = it.began_us + kMinute - 1;
  }

  // Clients go on, and end.

  void take_turn(int which) {
    Running& it = *running_[static_cast<std::size_t>(which)];
    it.client->take_turn(static_cast<unsigned>(1 + pick(it.most_calls)));
    if (it.client->ended()) return ended(which);
    log_.push_back(fmt::format("{} stands before: {}", it.number, it.client->last_call()));
  }

  void kill(int which) {
    Running& it = *running_[static_cast<std::size_t>(which)];
    it.client->kill();
    log_.push_back(fmt::format("{} is killed before: {}", it.number, it.client->last_call()));
    ended(which);
  }

  void ended(int which) {
    const std::unique_ptr<Running> it = std::move(running_[static_cast<std::size_t>(which)]);
    running_.erase(running_.begin() + which);
    const std::optional<Error>& error = it->client->error();
    if (!it->client->was_killed()) {
      log_.push_back(fmt::format("{} has ended{}{}", it->number, error ? ": " : "",
                                 error ? error->message() : ""));
    }
    if (!it->client->lied_about().empty()) lied_.insert(it->client->lied_about());
    if (error && !may_fail_so(*it, *error)) wrong_ = "this must not fail: " + it->what;
    look(chance(10));
  }

  bool may_fail_so(const Running& it, const Error& error) const {
    switch (error.code()) {
      case ErrorCode::kUnavailable:
        return it.client->saw_fault();
      case ErrorCode::kConflict:
        return clock_.now >= it.may_conflict_us || has_lied();
      case ErrorCode::kIntegrity:
        return has_lied();
      case ErrorCode::kNotFound:
        return has_lied() || (it.reads && !kept_.contains(*it.reads));
      default:
        return false;
    }
  }
  bool has_lied() const {
    return !lied_.empty() || std::any_of(running_.begin(), running_.end(), [](const auto& it) {
      return !it->client->lied_about().empty();
    });
  }

  void let_end(const std::function<bool(const Running&)>& who) {
    for (int i = static_cast<int>(running_.size()) - 1; i >= 0 && wrong_.empty(); --i) {
      while (i < static_cast<int>(running_.size()) && who(*running_[static_cast<std::size_t>(i)])) {
        const std::size_t before = running_.size();
        take_turn(i);
        if (running_.size() < before) break;
      }
    }
  }

  // Time stands still for those who would notice; often they end first.
  void let_time_pass() {
    const std::int64_t wanted =
        std::array{kMinute / 2, 30 * kMinute, 5 * kHour, 15 * kHour, kDay, 40 * kHour}[pick(6)];
    if (chance(70)) let_end([&](const Running& it) { return it.until_us < clock_.now + wanted; });
    std::int64_t until = clock_.now + wanted;
    for (const auto& it : running_) until = std::min(until, it->until_us);
    if (until <= clock_.now) return;
    log_.push_back(fmt::format(
        "{:.1f} hours pass", static_cast<double>(until - clock_.now) / static_cast<double>(kHour)));
    clock_.now = until;
  }

  // The model learns which manifests there are, and compares.

  void look(bool whole) {
    Repository repository = Repository::open(store_, opener_);
    const std::vector<Damage> damages = repository.load_index();
    if (!damages.empty() && !has_lied()) wrong_ = damages[0].what;
    std::set<ObjectId> listed;
    for (const ManifestInfo& info : repository.listed_manifests()) {
      listed.insert(info.id);
      if (!kept_.contains(info.id)) learn(repository, info.id);
    }
    for (auto backup = kept_.begin(); backup != kept_.end();) {
      if (listed.contains(backup->first)) {
        ++backup;
        continue;
      }
      if (!forgetting_.contains(backup->first)) {
        wrong_ = fmt::format("the backup {} is lost", backup->first.hex());
      }
      trusted_.erase(backup->first);
      reached_.erase(backup->first);
      backup = kept_.erase(backup);
    }
    packs_ = list_packs(store_);
    for (const auto& [id, content] : kept_) {
      if (!wrong_.empty()) return;
      compare(repository, id, content, whole);
    }
  }

  void learn(const Repository& repository, const ObjectId& id) {
    try {
      kept_[id] = contents_.at(number_of(repository, id));
      if (!has_lied()) trusted_.insert(id);
    } catch (const Error& error) {
      if (!lied_.contains(object_name(kBackupFolder, id))) wrong_ = error.message();
    }
  }

  // As a whole, or whether all is in packs that are there: what is in those was looked at before.
  void compare(const Repository& repository, const ObjectId& id, const Content& content,
               bool whole) {
    const std::string name = fmt::format("the backup {}", id.hex().substr(0, 8));
    try {
      std::vector<BlobId>& reached = reached_[id];
      if (whole || reached.empty()) {
        const std::string wrong = read_back(repository, id, content);
        if (!wrong.empty()) wrong_ = fmt::format("{} has {}", name, wrong);
        reached.clear();
        Walk(repository, [&](const BlobId& blob) { reached.push_back(blob); }).manifest(id);
      }
      for (const BlobId& blob : reached) {
        const auto in_pack = [&](const ObjectId& pack) { return packs_.contains(pack); };
        if (repository.index().find(blob, in_pack)) continue;
        throw Error(ErrorCode::kIntegrity, "no pack has the blob " + blob.hex());
      }
    } catch (const Error& error) {
      if (may_be_damaged(id)) return;
      wrong_ = fmt::format("{}: {}", name, error.message());
    }
  }
  // One that was made before the store lied may lose an index by it, and nothing else.
  bool may_be_damaged(const ObjectId& id) const {
    if (!trusted_.contains(id)) return true;
    const auto is_index = [](const std::string& name) { return name.starts_with("meta/index/"); };
    return std::any_of(lied_.begin(), lied_.end(), is_index) ||
           std::any_of(running_.begin(), running_.end(),
                       [&](const auto& it) { return is_index(it->client->lied_about()); });
  }

  // The end: everybody goes home, and what nothing reaches goes.

  void finish() {
    while (!running_.empty() && wrong_.empty()) {
      if (chance(30)) {
        kill(0);
      } else {
        take_turn(0);
      }
    }
    log_.push_back("the end begins");
    if (!lied_.empty()) {
      mend();
    } else {
      collect();
      look(true);
      expect_intact();
      expect_little_garbage();
    }
    if (!wrong_.empty()) return;
    for (const auto& [id, content] : kept_) repository_.remove_manifest(id);
    kept_.clear();
    collect();
    store_.list("", [&](const ObjectInfo& info) {
      if (info.name.starts_with("packs/") || info.name.starts_with("meta/index/") ||
          info.name.starts_with("meta/garbage/") || info.name.starts_with("probes/")) {
        wrong_ = "garbage stays for ever: " + info.name;
      }
    });
  }

  void collect() {
    for (int round = 0; round < 4; ++round) {
      clock_.now += kDay;
      Repository repository = Repository::open(store_, opener_);
      sweep_garbage(repository, {});
      mark_garbage(repository, {});
    }
  }

  // Of what the store lied about, only what was made since is lost.
  void mend() {
    Repository repository = Repository::open(store_, opener_);
    repair_index(repository);
    std::erase_if(lied_, [](const std::string& name) { return name.starts_with("meta/index/"); });
    look(true);
    for (auto backup = kept_.begin(); backup != kept_.end() && wrong_.empty();) {
      backup = trusted_.contains(backup->first) ? std::next(backup) : forget_now(backup);
    }
    store_.list("meta/backups/", [&](const ObjectInfo& info) {
      if (!kept_.contains(object_id(info.name))) store_.remove(info.name);
    });
    collect();
    look(true);
  }
  std::map<ObjectId, Content>::iterator forget_now(std::map<ObjectId, Content>::iterator backup) {
    repository_.remove_manifest(backup->first);
    return kept_.erase(backup);
  }

  void expect_intact() {
    const CheckReport report =
        check(Repository::open(store_, opener_),
              {.level = CheckOptions::Level::kData, .parallel = {.threads = 1}});
    for (const Damage& damage : report.damages) {
      wrong_ = fmt::format("{}: {}", damage.object, damage.what);
    }
    if (!report.unindexed.empty()) wrong_ = report.unindexed[0].name + " is in no index";
  }

  // Three tenths of a pack may be dead, and no blob is there twice.
  void expect_little_garbage() {
    Repository repository = Repository::open(store_, opener_);
    repository.load_index();
    std::set<BlobId> reached;
    walk_all(repository, [&](const BlobId& id) { reached.insert(id); });
    std::map<ObjectId, std::pair<std::uint64_t, std::uint64_t>> packs;  // live, all
    for (const IndexPart& part : repository.index().parts()) {
      for (const IndexEntry& entry : part.entries()) {
        auto& [live, all] = packs[part.packs()[entry.pack].id];
        all += entry.frame_length;
        const auto place = repository.index().find(entry.id);
        if (reached.contains(entry.id) && place->pack->id == part.packs()[entry.pack].id) {
          live += entry.frame_length;
        }
      }
    }
    for (const auto& [id, bytes] : packs) {
      if (static_cast<double>(bytes.first) < 0.69 * static_cast<double>(bytes.second)) {
        wrong_ = fmt::format("{} has {} of {} bytes that anything reaches", pack_name(id),
                             bytes.first, bytes.second);
      }
    }
  }

  std::mt19937 random_;
  const bool lying_;
  SeededRandom drawn_;
  FakeClock clock_;
  MemoryStore store_{clock_};
  const Opener opener_;
  Repository repository_;
  std::map<int, Content> contents_;                  // by the number of the client that backs it up
  std::map<ObjectId, Content> kept_;                 // backups that are there
  std::map<ObjectId, std::vector<BlobId>> reached_;  // of those that were read as a whole
  std::map<ObjectId, ObjectInfo> packs_;             // that are there
  std::set<ObjectId> trusted_;     // of them, those made before the store has lied
  std::set<ObjectId> forgetting_;  // that somebody has begun to forget
  std::set<std::string> lied_;     // names of objects
  std::vector<std::string> log_;
  std::string wrong_;
  int numbers_ = 0;
  std::vector<std::unique_ptr<Running>> running_;  // last: they end before the others go
};

TEST(Histories, WhateverHappensEveryBackupReadsBackAndGarbageGoes) {
  const char* const given = std::getenv("COPPICE_TEST_SEED");
  const auto first = given != nullptr ? static_cast<std::uint32_t>(std::atoi(given)) : 1U;
  const bool all = std::getenv("COPPICE_TEST_LONG") != nullptr;
  const std::uint32_t seeds = given != nullptr ? 1 : all ? 10'000 : 200;
  for (std::uint32_t seed = first; seed < first + seeds; ++seed) {
    const std::string wrong = History(seed).run(kSteps);
    ASSERT_TRUE(wrong.empty()) << "seed " << seed << ": " << wrong;
  }
}

TEST(Histories, ASeedRunsInTheSameWayAgain) {
  const auto log = [](std::uint32_t seed) {
    History history(seed);
    EXPECT_EQ(history.run(kSteps), "");
    return history.log();
  };
  for (std::uint32_t seed = 1; seed <= 6; ++seed) {
    const std::vector<std::string> one = log(seed);
    EXPECT_EQ(one, log(seed)) << "seed " << seed;
    EXPECT_GT(one.size(), 50u);
  }
}

}  // namespace
}  // namespace coppice::repo
