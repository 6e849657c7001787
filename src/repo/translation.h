// Translation: what a backup reaches, written anew under the keys of another repository.
//
// Model    A blob's id depends on the id key, and trees name blobs by their ids: so a tree is read,
//          what it names is written first, and it is written with the names that they have there.
//          All else that it says stays. What was translated once is not read again while the other
//          repository has it.
// Units    Memory: 100 bytes a blob.
// Threads  One thread calls; others read and write.
// Errors   kIntegrity and kNotFound, naming what cannot be read.
// Source   docs/formats/repository.md, "Copies"
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/error.h"
#include "repo/blob_writer.h"
#include "repo/parallel.h"
#include "repo/repository.h"

namespace coppice::repo {

// Of a manifest that was written anew: which backup it is a copy of.
struct Origin {
  std::string repository;  // its id
  ObjectId backup;
};
std::string with_origin(std::string_view manifest, const Origin& origin);
std::string without_origin(std::string_view manifest);
// nullopt for one that is no such copy.
std::optional<Origin> origin_of(std::string_view manifest);

class Translation {
 public:
  // Hears what cannot be read.
  using OnDamage = std::function<void(const Error& error)>;
  // Borrowed; its index is loaded. With `on_damage`, what can be read is written all the same.
  explicit Translation(const Repository& from, OnDamage on_damage = {})
      : from_(from), on_damage_(std::move(on_damage)) {}

  // Writes what the manifest reaches; gives its text with the names of the other repository;
  // nullopt when something of it cannot be read, and `on_damage` has heard of it. After an error,
  // what was written may be lost with the writer: then this is not used again.
  std::optional<std::string> manifest(const std::string& name, std::string_view text,
                                      BlobWriter& writer, const ParallelOptions& parallel);
  // Two backups that say the same, and are there in both repositories: what they reach need not be
  // read again. Only trees are read. What does not fit is left out.
  void learn(std::string_view from_text, const Repository& to, std::string_view to_text);

 private:
  std::optional<BlobId> tree(const BlobId& id, BlobWriter& writer, const ParallelOptions& parallel);
  void write_blobs(const std::vector<BlobId>& blobs, BlobWriter& writer,
                   const ParallelOptions& parallel);
  void learn_tree(const BlobId& id, const Repository& to, const BlobId& as);
  std::optional<BlobId> known(const BlobId& id);
  void know(const BlobId& id, const BlobId& as);

  template <typename Call>
  void attempt(const Call& call);

  const Repository& from_;
  const OnDamage on_damage_;
  std::mutex mutex_;
  std::unordered_map<BlobId, BlobId> known_;
  std::unordered_set<BlobId> whole_;  // trees of which the other repository has all that they reach
};

}  // namespace coppice::repo
