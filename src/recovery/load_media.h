// Media objects of a backup, put into the media store of a home.
//
// Threads  One thread; objects are read by threads of their own.
// Errors   Those of the repository and of files; an object that the backup has damaged, or not at
//          all, is told and not thrown.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "backup/media_map.h"
#include "engine/result_sink.h"
#include "media/store.h"

namespace coppice::recovery {

// Which objects a backup has. Names are without "media:".
class BackupMedia {
 public:
  BackupMedia(const repo::Repository& repository, const Tree& home);
  const MediaObject* find(const std::string& name);

 private:
  const repo::Repository& repository_;
  MediaTrees trees_;
  std::map<std::string, MediaObjects> parts_;  // that were asked for
};

struct LoadedMedia {
  std::uint64_t added = 0, bytes = 0;
  std::vector<std::string> lacking;  // "media:…: why"
};
// Afterwards the store has these objects, durable and young, but for those that are lacking.
// `replace`: what is there is damaged. `dry_run`: says what would be.
struct LoadRequest {
  bool replace = false;
  bool dry_run = false;
};
LoadedMedia load_media(const repo::Repository& repository, BackupMedia& media, MediaStore& store,
                       const std::set<std::string>& names, const LoadRequest& request,
                       ResultSink& sink, const std::function<void()>& on_step);

}  // namespace coppice::recovery
