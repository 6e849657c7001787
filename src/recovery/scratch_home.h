// A home that is there for a drill alone, with a server of its own.
//
// Model    A folder "coppice-drill.XXXXXX" with a locked file in it: so the next drill knows what
// one
//          that was killed has left, and removes it with its server. Only what has that name, that
//          file, and is this user's, is taken for a drill's.
// Threads  One thread.
// Errors   Those of making folders.
#pragma once

#include <filesystem>

#include "base/files.h"
#include "config/config.h"
#include "engine/result_sink.h"

namespace coppice::recovery {

class ScratchHome {
 public:
  // In `parent`. What the environment says of the living home and its database is left out.
  ScratchHome(const Environment& environment, const std::filesystem::path& parent);
  // Stops its server, and removes it.
  ~ScratchHome();
  ScratchHome(const ScratchHome&) = delete;
  ScratchHome& operator=(const ScratchHome&) = delete;

  const ConfigRequest& where() const { return where_; }

 private:
  ScratchFolder folder_;
  FileDescriptor lock_;
  ConfigRequest where_;
};

// What drills that were killed have left in `parent`.
void remove_dead_drills(const Environment& environment, const std::filesystem::path& parent,
                        ResultSink& sink);

}  // namespace coppice::recovery
