#include "recovery/damaged_parts.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "backup/media_map.h"
#include "backup/runs.h"
#include "backup/tree.h"
#include "base/error.h"
#include "recovery/files.h"
#include "recovery/media_users.h"

namespace coppice::recovery {
namespace {

using nlohmann::json;
using repo::BlobId;

class PartReader {
 public:
  PartReader(const repo::Repository& repository, const KnownBackup& backup)
      : repository_(repository), backup_(backup) {}

  std::vector<std::string> read() {
    attempt("the backup", [&] {
      const Tree home = Tree::read(repository_, backup_.manifest.tree);
      home.checked([&] { read_home(home); });
    });
    return std::move(damaged_);
  }

 private:
  // What is damaged is noted under this name.
  template <typename Call>
  void attempt(const std::string& name, const Call& call) {
    try {
      call();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kIntegrity && error.code() != ErrorCode::kNotFound) throw;
      const std::string what = fmt::format("{}: {}", name, error.message());
      damaged_.push_back(with_users(repository_, backup_, what));
    }
  }

  void read_home(const Tree& home) {
    const auto name_of = [](const json& item, const char* member) {
      return item.at(member).get<std::string>();
    };
    for (const json& table : home.member("tables")) {
      attempt(name_of(table, "name"), [&] { read_runs(home.tree(table.at("tree"))); });
    }
    for (const json& part : home.member("catalog")) {
      attempt("coppice." + name_of(part, "table"), [&] { read_all(home.blobs(part.at("blobs"))); });
    }
    for (const json& file : home.member("code")) {
      attempt("functions/" + name_of(file, "path"),
              [&] { read_all(home.blobs(file.at("blobs"))); });
    }
    attempt("config.toml", [&] { read_all(home.blobs(home.member("config").at("blobs"))); });
    for (const json& media : home.member("media")) {
      attempt("media that begin with " + name_of(media, "prefix"), [&] {
        for (const auto& [name, object] :
             read_media_tree(repository_, home.tree(media.at("tree")))) {
          attempt("media:" + name, [&, &blobs = object.blobs] { read_all(blobs); });
        }
      });
    }
  }

  void read_runs(const BlobId& tree) const {
    for (const Run& run : read_table(repository_, tree).runs) {
      read_all(blobs_of(repository_, run));
    }
  }

  void read_all(const std::vector<BlobId>& blobs) const {
    read_blobs(repository_, blobs, [](std::string_view) {});
  }

  const repo::Repository& repository_;
  const KnownBackup& backup_;
  std::vector<std::string> damaged_;
};

}  // namespace

std::vector<std::string> damaged_parts(const repo::Repository& repository,
                                       const KnownBackup& backup) {
  return PartReader(repository, backup).read();
}

}  // namespace coppice::recovery
