// Checking packs against indexes, and the blobs in them. Part of repo/check.h.
//
// Threads  One thread calls; is_lost() after the checks.
// Errors   As check().
#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "base/error.h"
#include "repo/check.h"

namespace coppice::repo {

// Whether an error is about one object, and not about the store.
bool is_damage(const Error& error);

class PackCheck {
 public:
  // All are borrowed; the index is loaded.
  PackCheck(const Repository& repository, const std::map<ObjectId, ObjectInfo>& there,
            CheckReport& report);

  // Every pack that an index names is there, and as long as it says.
  void compare();
  // False when one was missing.
  bool complete() const { return complete_; }
  // Reads packs.
  void read(const CheckOptions& options);

  // Whether no index names the blob, and whether it can be read from none of its packs.
  bool is_unknown(const BlobId& id) const;
  bool is_lost(const BlobId& id) const;

 private:
  // The entries of a pack in one part of the index: their places in order_.
  struct Share {
    std::uint32_t part = 0;
    std::uint32_t pack = 0;
    std::uint32_t begin = 0, end = 0;
  };
  void group(std::uint32_t part);
  void lose(const Share& share, std::uint32_t at, Damage& damage);
  void compare_pack(const ObjectId& id, const std::vector<Share>& shares);
  void read_pack(const ObjectInfo& info, const std::vector<Share>& shares);
  bool was_collected(const std::vector<Share>& shares) const;
  void check_blobs(const std::string& bytes, const std::vector<Share>& shares, Damage& damage);
  const IndexEntry& entry(const Share& share, std::uint32_t at) const {
    return index_.parts()[share.part].entries()[order_[share.part][at]];
  }

  const Repository& repository_;
  const Index& index_;
  const std::map<ObjectId, ObjectInfo>& there_;
  CheckReport& report_;
  std::mutex mutex_;                               // of what follows, and the report
  std::vector<std::vector<std::uint32_t>> order_;  // of each part: its entries, pack by pack
  std::vector<std::vector<bool>> lost_;            // of each part: entries that cannot be read
  std::map<ObjectId, std::vector<Share>> shares_;
  bool complete_ = true;
};

}  // namespace coppice::repo
