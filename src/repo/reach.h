// What manifests reach: trees, and the blobs that they name.
//
// Model    A Walk visits each blob that is reached, once for each tree that names it; each tree is
//          read once.
// Units    Memory: 32 bytes a tree.
// Threads  As the repository's reading.
// Errors   kIntegrity, naming manifest or tree, when anything cannot be read; kNotFound for a blob
//          that no index names.
// Source   docs/formats/repository.md, "Trees"
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "repo/repository.h"

namespace coppice::repo {

// What the text of a tree names, and what that of a manifest does.
struct TreeLinks {
  std::vector<BlobId> blobs, trees;
};
TreeLinks read_tree(const std::string& name, std::string_view json);
std::vector<BlobId> read_roots(const std::string& name, std::string_view json);

class Walk {
 public:
  // `visit_tree` hears of those that are trees, too.
  Walk(const Repository& repository, std::function<void(const BlobId&)> visit,
       std::function<void(const BlobId&)> visit_tree = {})
      : repository_(repository), visit_(std::move(visit)), visit_tree_(std::move(visit_tree)) {}

  void manifest(const ObjectId& id);
  // What the text of a manifest reaches.
  void manifest_text(const std::string& name, std::string_view json);

 private:
  void trees(std::vector<BlobId> left);

  const Repository& repository_;
  const std::function<void(const BlobId&)> visit_, visit_tree_;
  std::unordered_set<BlobId> seen_;  // trees
};

// Every manifest that is there.
void walk_all(const Repository& repository, const std::function<void(const BlobId&)>& visit);

}  // namespace coppice::repo
