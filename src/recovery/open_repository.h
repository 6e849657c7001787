// Repositories of backups: opened by address and key, and the backups in them.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/manifest.h"
#include "objects/paced_store.h"
#include "recovery/recovery.h"
#include "repo/object_cache.h"
#include "repo/repository.h"

namespace coppice::recovery {

struct OpenRepository {
  std::unique_ptr<PacedStore> store;
  std::unique_ptr<repo::ObjectCache> cache;  // of what was read before, if there is one
  std::unique_ptr<repo::Repository> repository;
};

// kNotFound when there is none. Damaged indexes are told.
OpenRepository open_repository(const RepositoryAddress& address, ResultSink& sink);
// Makes one where the folder is empty or not there. What is read is kept below
// `cache`, if that is not empty.
OpenRepository open_or_make_repository(const RepositoryAddress& address,
                                       const std::filesystem::path& cache, ResultSink& sink);

// Makes a copy of `of` where the folder is empty or not there, or what a call left that was killed:
// one with the same keys.
OpenRepository open_or_make_copy(const RepositoryAddress& address, const OpenRepository& of,
                                 ResultSink& sink);

// Throws kUsage when both are in one place.
void refuse_same_place(const RepositoryAddress& one, const RepositoryAddress& other);
// Throws kRefused when the repository and the home lie in each other: who loses one loses both.
// `what` is it called: "home", "folder".
void refuse_each_other(const RepositoryAddress& address, const std::filesystem::path& home,
                       std::string_view what = "home");

struct KnownBackup {
  repo::ObjectId id;
  std::uint64_t size_bytes = 0;
  Manifest manifest;
};
// By the time of their points, and those of one home in the order in which they were made, whatever
// its clock said. Damaged manifests are told, and left out.
std::vector<KnownBackup> known_backups(const repo::Repository& repository, ResultSink& sink);
void sort_by_time(std::vector<KnownBackup>& backups);
std::vector<KnownBackup> read_backups(const repo::Repository& repository,
                                      const std::vector<repo::ManifestInfo>& manifests,
                                      ResultSink& sink);
// kNotFound, with what there is; kUsage when several begin with these digits.
const KnownBackup& backup_named(const std::vector<KnownBackup>& backups, const std::string& id);

// "2026-11-23T00:50:07Z"
std::string utc_text(std::int64_t time_us);

}  // namespace coppice::recovery
