// Backups for histories: of each table some numbered blobs, under a tree that the next backup takes
// over when it has the same.
//
// Threads  As the repository.
// Errors   Those of the repository.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>

#include "repo/repository.h"

namespace coppice::repo {

// Of each table the numbers of its blobs.
using Content = std::map<int, std::set<int>>;

// `before` with some tables changed; one of everything when that is empty.
Content draw_backup(std::mt19937& random, Content before);

// A quick one takes less than the minute for which marks are known, one of days longer than packs
// are trusted: it looks again, and writes an index behind each pack. Clocks of clients are real,
// and time in a history is not: so who lets it pass must not let more pass than the pace says.
enum class Pace { kQuick, kMinutes, kDays };
struct CountedBackup {
  Content content;
  int number = 0;
  Pace pace = Pace::kQuick;
  std::uint64_t pack_bytes = 0;
};
// kBegan: index and marks are read; kTableDone: a table is; kCommits: all blobs are given.
enum class Phase { kBegan, kTableDone, kCommits };
void back_up(ObjectStore& store, const Opener& opener, const CountedBackup& backup,
             const std::function<void(Phase)>& on_phase);

// The number of a backup.
int number_of(const Repository& repository, const ObjectId& id);
// What is wrong with it: nothing, if each byte is there and nothing else.
std::string read_back(const Repository& repository, const ObjectId& id, const Content& expected);

}  // namespace coppice::repo
