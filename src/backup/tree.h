// Trees of a backup: JSON that names the blobs and trees that it needs.
//
// Model    What a tree names stands in two lists; other members point into them by position.
// Threads  Plain values; one thread at a time.
// Errors   kIntegrity, naming the tree, for one that lacks a member or has it in another form.
// Source   docs/formats/backup.md, "Trees"
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "repo/blob_writer.h"

namespace coppice {

class TreeBuilder {
 public:
  TreeBuilder();
  ~TreeBuilder();
  TreeBuilder(TreeBuilder&&) noexcept;
  TreeBuilder& operator=(TreeBuilder&&) noexcept;

  nlohmann::json& members() { return *members_; }
  // [first, count] for a member.
  nlohmann::json add_blobs(const std::vector<repo::BlobId>& blobs);
  nlohmann::json add_trees(const std::vector<repo::BlobId>& trees);
  std::size_t add_tree(const repo::BlobId& tree);
  repo::BlobId write(repo::BlobWriter& writer);

 private:
  std::unique_ptr<nlohmann::json> members_;
  std::vector<repo::BlobId> blobs_, trees_;
};

class Tree {
 public:
  static Tree read(const repo::Repository& repository, const repo::BlobId& id);

  const repo::BlobId& id() const { return id_; }
  const nlohmann::json& member(const char* name) const;
  bool has(const char* name) const;
  std::vector<repo::BlobId> blobs(const nlohmann::json& span) const;
  std::vector<repo::BlobId> all_blobs() const { return blobs_; }
  std::vector<repo::BlobId> trees(const nlohmann::json& span) const;
  repo::BlobId tree(const nlohmann::json& position) const;
  // For a tree that has another form than trees have.
  Error damaged() const;
  // What a call throws about JSON becomes an Error that names this tree.
  template <typename Call>
  auto checked(const Call& call) const {
    using Result = decltype(call());
    if constexpr (std::is_void_v<Result>) {
      check(call);
    } else {
      std::optional<Result> result;
      check([&] { result.emplace(call()); });
      return Result(std::move(*result));
    }
  }

 private:
  void check(const std::function<void()>& call) const;
  std::vector<repo::BlobId> part(const std::vector<repo::BlobId>& all,
                                 const nlohmann::json& span) const;

  repo::BlobId id_;
  std::shared_ptr<const nlohmann::json> members_;
  std::vector<repo::BlobId> blobs_, trees_;
};

}  // namespace coppice
