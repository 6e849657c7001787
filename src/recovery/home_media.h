// The media objects of a backup, put into the store of a home that is being made.
//
// Model    Objects are read and written by threads of their own while the caller makes the rest of
//          the home; finish() waits for them. Parts of the backup's list are done side by side. The
//          digest of each object is taken of what is written; one that has other bytes is read
//          again, from wherever else the repository has it.
// Units    Memory: a few MiB a thread.
// Threads  One thread calls it; `store` and `repository` are for all.
// Errors   finish() throws the first: kIntegrity, naming the object or the pack; those of files.
// Source   docs/formats/backup.md, "Media"
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <vector>

#include "backup/media_map.h"
#include "engine/result_sink.h"
#include "media/store.h"

namespace coppice::recovery {

class HomeMedia {
 public:
  // Begins. `goes_on`: what is there may be of a restore that was interrupted, and is looked at.
  HomeMedia(const repo::Repository& repository, const Tree& home, MediaStore& store, bool goes_on);
  // Ends what is under way, as soon as it can.
  ~HomeMedia();
  HomeMedia(const HomeMedia&) = delete;
  HomeMedia& operator=(const HomeMedia&) = delete;

  // Returns when all are there and durable, and gives how many. `on_wait` is called now and then.
  std::uint64_t finish(std::uint64_t expected, ResultSink& sink,
                       const std::function<void()>& on_wait);

 private:
  struct Wanted {
    MediaName name;
    MediaObject object;
  };
  void load_all();
  void load_part(const repo::BlobId& tree);
  void load_small(const std::vector<Wanted>& wanted);
  void load_large(const Wanted& wanted);
  void load_proven(const Wanted& wanted);
  bool is_there(const MediaName& name) const;
  void check_stop() const;

  const repo::Repository& repository_;
  MediaStore& store_;
  const bool goes_on_;
  std::vector<repo::BlobId> trees_;
  std::atomic<std::uint64_t> done_ = 0;
  std::atomic<bool> stop_ = false;
  std::future<void> work_;
};

}  // namespace coppice::recovery
