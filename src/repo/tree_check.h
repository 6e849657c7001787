// Checking what manifests reach. Part of repo/check.h.
//
// Model    Every tree is read once, many at a time; then what is damaged is told to all that name
//          it.
// Threads  One thread calls.
// Errors   As check().
#pragma once

#include <mutex>
#include <unordered_map>
#include <vector>

#include "repo/pack_check.h"

namespace coppice::repo {

class TreeCheck {
 public:
  // All are borrowed.
  TreeCheck(const Repository& repository, const PackCheck& packs, CheckReport& report)
      : repository_(repository), packs_(packs), report_(report) {}

  // Reads those manifests and the trees that they reach.
  void run(const std::vector<ListedObject>& manifests, const ParallelOptions& options);

 private:
  struct Node {
    BlobId id;
    bool affected = false;
    std::vector<std::uint32_t> named_by;  // trees
  };
  // With mutex_ held; the tree is to be read when it is new.
  std::uint32_t node(const BlobId& id);
  void read_manifest(const ListedObject& manifest);
  void read_tree_of(std::uint32_t number);
  void tell_those_that_name_it();

  const Repository& repository_;
  const PackCheck& packs_;
  CheckReport& report_;
  std::mutex mutex_;  // of what follows, and the report
  std::vector<Node> nodes_;
  std::unordered_map<BlobId, std::uint32_t> numbers_;
  std::vector<std::uint32_t> to_read_;
  std::vector<std::vector<std::uint32_t>> roots_;  // of each manifest of the report
};

}  // namespace coppice::repo
