#include "repo/commit.h"

#include <algorithm>
#include <iterator>

#include "base/error.h"
#include "repo/marks.h"
#include "repo/reach.h"

namespace coppice::repo {
namespace {

std::set<ObjectId> both(const std::set<ObjectId>& one, const std::set<ObjectId>& other) {
  std::set<ObjectId> common;
  std::set_intersection(one.begin(), one.end(), other.begin(), other.end(),
                        std::inserter(common, common.end()));
  return common;
}

// Those of the packs that are not there.
std::set<ObjectId> missing(ObjectStore& store, std::set<ObjectId> packs) {
  for (const auto& [id, info] : list_packs(store)) packs.erase(id);
  return packs;
}

Error lost() {
  return Error(ErrorCode::kConflict,
               "a collection has removed what this backup needs while it was being made",
               "make it again; and give `prune` a waiting time longer than any backup takes");
}

template <typename Call>
void or_lost(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kNotFound) throw lost();
    throw;
  }
}

// Before the manifest: all that it reaches is there, and in no pack that is going to go.
void rely_on_all(Repository& repository, BlobWriter& writer, std::string_view manifest) {
  writer.flush();
  // What a tree of an earlier backup reaches was not given to the writer. While that backup was
  // there when this one began, it cannot be gone sooner than a waiting time later.
  if (!writer.trusts()) {
    or_lost([&] {
      Walk(repository, [&](const BlobId& id) {
        writer.relies_on(id);
      }).manifest_text("the manifest", manifest);
    });
  }
  while (!writer.knows_marks()) {
    std::set<ObjectId> doubtful = marked_packs(read_marks(repository));
    if (!writer.trusts()) doubtful.merge(missing(repository.store(), writer.relied_on()));
    if (both(doubtful, writer.relied_on()).empty()) break;
    // What only they have is written again.
    writer.distrust(doubtful);
    or_lost([&] {
      Walk(repository, [&](const BlobId& id) {
        if (!writer.relies_on(id)) writer.add_again(id, repository.read(id));
      }).manifest_text("the manifest", manifest);
    });
    writer.flush();
  }
}

// Behind it: a mark that was written in between may have been carried out only by who did not wait.
void check_still_there(Repository& repository, const BlobWriter& writer, const ObjectId& id) {
  for (const ObjectId& pack : both(marked_packs(read_marks(repository)), writer.relied_on())) {
    if (repository.store().stat(pack_name(pack))) continue;
    repository.remove_manifest(id);
    throw lost();
  }
}

}  // namespace

WriterOptions begin_backup(Repository& repository, WriterOptions options) {
  if (!repository.index_is_fresh()) repository.load_index();
  auto marks = read_marks(repository, repository.listing().marks);
  while (!marks) {  // one was carried out since the listing: so the index is an old one
    repository.load_index();
    marks = read_marks(repository, repository.listing().marks);
  }
  options.marked = marked_packs(*marks);
  options.begun = repository.listing().at;
  return options;
}

ObjectId commit(Repository& repository, BlobWriter& writer, std::string_view manifest) {
  rely_on_all(repository, writer, manifest);
  const ObjectId id = repository.put_manifest(manifest);
  check_still_there(repository, writer, id);
  return id;
}

ObjectId commit_sealed(Repository& repository, BlobWriter& writer, std::string_view manifest,
                       std::string_view sealed) {
  rely_on_all(repository, writer, manifest);
  const ObjectId id{sha256(sealed)};
  repository.store().put(object_name(kBackupFolder, id), sealed);
  check_still_there(repository, writer, id);
  return id;
}

}  // namespace coppice::repo
