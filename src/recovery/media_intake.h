// Media objects taken into a backup while the rows that name them are still being read.
//
// Model    Names are given as they are found; those that the map lacks are read, cut into blobs and
//          put into the repository by threads of their own, in the order of their names but for
//          large ones, which come first: what lies together in the map lies together in a pack.
// Units    Memory: a few MiB a thread, and the names.
// Threads  One thread calls it. Until finish() has returned nobody else uses the map.
// Errors   finish() throws those of the repository. An object that cannot be read, or whose bytes
//          are not those of its name, is told and not thrown.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <future>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "backup/media_map.h"
#include "engine/result_sink.h"
#include "media/store.h"

namespace coppice::recovery {

class MediaIntake {
 public:
  MediaIntake(const MediaStore& store, repo::BlobWriter& writer, MediaMap& map);
  // Ends what is under way, as soon as it can.
  ~MediaIntake();
  MediaIntake(const MediaIntake&) = delete;
  MediaIntake& operator=(const MediaIntake&) = delete;

  // A name without "media:"; once or more often.
  void add(std::string_view name);
  const std::set<std::string>& names() const { return names_; }
  // Waits until the map has all that could be read; gives the others, and why: "media:ab12….jpg:
  // …". `on_wait` is called now and then. Called once, at the end.
  std::vector<std::string> finish(ResultSink& sink, const std::function<void()>& on_wait);

 private:
  struct Taken {
    std::string name;
    MediaObject object;
    std::string failure;
  };
  void run();
  std::set<std::string> next_names();
  void large_first(std::vector<Taken>& step) const;
  void take(Taken& taken);

  const MediaStore& store_;
  repo::BlobWriter& writer_;
  MediaMap& map_;
  std::set<std::string> names_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::string> waiting_;
  bool complete_ = false, stop_ = false;
  std::uint64_t done_ = 0;
  std::vector<std::string> failures_;  // of the thread, until it has ended
  std::future<void> work_;             // the last: it uses the others
};

}  // namespace coppice::recovery
