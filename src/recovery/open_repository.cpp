#include "recovery/open_repository.h"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <tuple>

#include "base/clock.h"
#include "base/error.h"
#include "objects/folder_store.h"
#include "objects/test_faults.h"

namespace coppice::recovery {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLeastDigits = 4;
// Nobody writes one object for so long: who began it is dead.
constexpr std::int64_t kUnfinishedAgeUs = std::int64_t{24} * 3'600 * 1'000'000;

fs::path folder_of(const std::string& url) {
  constexpr std::string_view kScheme = "file://";
  if (url.empty()) {
    throw Error(ErrorCode::kUsage, "no repository was named",
                "give --repo FOLDER, or set backup.repository in config.toml");
  }
  if (url.starts_with(kScheme)) {
    const std::string path = url.substr(kScheme.size());
    if (path.starts_with('/')) return path;
    throw Error(ErrorCode::kUsage, fmt::format("\"{}\" names another machine", url),
                "write file:///folder, or the folder alone");
  }
  if (url.find("://") != std::string::npos) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("\"{}\" is no address of a repository that this program knows", url),
                "give a folder: /backup/films or file:///backup/films");
  }
  return fs::absolute(url);
}

repo::Opener opener_of(const RepositoryAddress& address) {
  using Key = RepositoryAddress::Key;
  const bool has_key = address.key != Key::kNone;
  if (has_key && address.no_encryption) {
    throw Error(ErrorCode::kUsage, "a key was given together with --no-encryption",
                "leave out one of them");
  }
  if (has_key) {
    return repo::Secret{address.key == Key::kKeyFile ? repo::Secret::Kind::kKeyFile
                                                     : repo::Secret::Kind::kPassphrase,
                        address.secret};
  }
  return std::nullopt;
}

void refuse_plain(const RepositoryAddress& address) {
  if (address.key != RepositoryAddress::Key::kNone || address.no_encryption) return;
  throw Error(
      ErrorCode::kUsage, "no key for the repository was given",
      "set COPPICE_REPO_PASSWORD, or give --password-file, --password-command or --key-file; "
      "a repository that anybody can read is made with --no-encryption");
}

std::unique_ptr<PacedStore> paced(const RepositoryAddress& address,
                                  std::unique_ptr<ObjectStore> store) {
  return std::make_unique<PacedStore>(with_test_faults(std::move(store)), address.bytes_per_second);
}

OpenRepository opened(std::unique_ptr<PacedStore> store, repo::Repository repository,
                      ResultSink& sink, std::unique_ptr<repo::ObjectCache> cache = nullptr) {
  OpenRepository open{std::move(store), std::move(cache),
                      std::make_unique<repo::Repository>(std::move(repository))};
  for (const repo::Damage& damage : open.repository->load_index()) {
    sink.notice(fmt::format("{} is damaged, and what only it names cannot be read: {}",
                            damage.object, damage.what));
  }
  return open;
}

bool lies_in(const fs::path& inner, const fs::path& outer) {
  const auto [end, ignored] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  return end == outer.end();
}

// nullopt when there is none.
std::optional<repo::Repository> open_if_made(ObjectStore& store, const repo::Opener& opener,
                                             repo::ObjectCache* cache) {
  try {
    return repo::Repository::open(store, opener, cache);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
    return std::nullopt;
  }
}

// Of two who make it at once one does, and the other takes away what he had begun.
repo::Repository open_or_make(ObjectStore& store, const repo::Opener& opener,
                              repo::ObjectCache* cache, bool& made) {
  const SystemClock clock;
  bool begun = false;
  for (int left = 20;; --left) {
    try {
      if (auto there = open_if_made(store, opener, cache)) return *std::move(there);
      begun = true;
      repo::Repository::create(store, opener, clock);
      made = true;
      // So that the next backup has in its cache what this one writes.
      return repo::Repository::open(store, opener, cache);
    } catch (const Error& error) {
      const bool passes = error.code() == ErrorCode::kConflict ||
                          error.code() == ErrorCode::kAlreadyExists ||
                          error.code() == ErrorCode::kIntegrity;
      if (!begun || !passes || left == 0) throw;
      clock.sleep(std::chrono::milliseconds(100));
    }
  }
}

}  // namespace

OpenRepository open_repository(const RepositoryAddress& address, ResultSink& sink) {
  const repo::Opener opener = opener_of(address);
  auto store = paced(address, std::make_unique<FolderStore>(folder_of(address.url)));
  repo::Repository repository = repo::Repository::open(*store, opener);
  return opened(std::move(store), std::move(repository), sink);
}

OpenRepository open_or_make_repository(const RepositoryAddress& address,
                                       const fs::path& cache_folder, ResultSink& sink) {
  const repo::Opener opener = opener_of(address);
  const fs::path folder = folder_of(address.url);
  std::error_code error;
  const bool there = fs::exists(folder, error);
  if (!there || fs::is_empty(folder, error)) refuse_plain(address);
  auto files = std::make_unique<FolderStore>(folder, FolderStore::Missing::kCreate);
  files->sweep_incoming(kUnfinishedAgeUs);
  auto store = paced(address, std::move(files));
  auto cache = cache_folder.empty() ? nullptr : std::make_unique<repo::ObjectCache>(cache_folder);
  bool made = false;
  repo::Repository repository = open_or_make(*store, opener, cache.get(), made);
  if (made) {
    sink.notice(fmt::format(
        "made a new repository in {}{}", store->place(),
        opener ? "; without its key nobody can read it, not even you" : ": it is not encrypted"));
  }
  return opened(std::move(store), std::move(repository), sink, std::move(cache));
}

OpenRepository open_or_make_copy(const RepositoryAddress& address, const OpenRepository& of,
                                 ResultSink& sink) {
  const repo::Opener opener = opener_of(address);
  auto store = paced(address, std::make_unique<FolderStore>(folder_of(address.url),
                                                            FolderStore::Missing::kCreate));
  std::optional<repo::Repository> repository = open_if_made(*store, opener, nullptr);
  if (!repository) {
    repo::Repository::create_copy(*store, *of.repository);
    repository.emplace(repo::Repository::open(*store, opener));
    sink.notice(
        fmt::format("made a copy of the repository in {}; {}", store->place(),
                    repository->encrypted() ? "the same keys open it" : "it is not encrypted"));
  }
  return opened(std::move(store), std::move(*repository), sink);
}

void refuse_same_place(const RepositoryAddress& one, const RepositoryAddress& other) {
  const fs::path folder = fs::weakly_canonical(folder_of(one.url));
  const fs::path second = fs::weakly_canonical(folder_of(other.url));
  if (!lies_in(folder, second) && !lies_in(second, folder)) return;
  throw Error(
      ErrorCode::kUsage,
      fmt::format("the repositories {} and {} lie in each other", folder.string(), second.string()),
      "a copy is one that can be lost by itself: name another folder, best on another disk");
}

// A clock may have been wrong, but no backup was made after a later one of the same home.
void sort_by_time(std::vector<KnownBackup>& backups) {
  std::sort(backups.begin(), backups.end(), [](const auto& one, const auto& other) {
    const Manifest &a = one.manifest, &b = other.manifest;
    return std::tie(a.sequence, a.moment, one.id) > std::tie(b.sequence, b.moment, other.id);
  });
  std::map<std::string, std::string> earliest;  // by home
  std::map<repo::ObjectId, std::string> at;
  for (const KnownBackup& backup : backups) {
    const Manifest& manifest = backup.manifest;
    std::string& time = earliest.emplace(manifest.home_id, manifest.moment).first->second;
    time = std::min(time, manifest.moment);
    at[backup.id] = time;
  }
  std::sort(backups.begin(), backups.end(), [&](const auto& one, const auto& other) {
    return std::tie(at[one.id], one.manifest.sequence, one.manifest.moment, one.id) <
           std::tie(at[other.id], other.manifest.sequence, other.manifest.moment, other.id);
  });
}

void refuse_each_other(const RepositoryAddress& address, const fs::path& home,
                       std::string_view what) {
  const fs::path folder = fs::weakly_canonical(folder_of(address.url));
  const fs::path own = fs::weakly_canonical(fs::absolute(home));
  if (lies_in(folder, own)) {
    throw Error(
        ErrorCode::kRefused,
        fmt::format("the repository {} lies in the {} {}", folder.string(), what, own.string()),
        fmt::format("who loses the {} would lose its backups: name a repository outside, "
                    "best on another machine or disk",
                    what));
  }
  if (lies_in(own, folder)) {
    throw Error(
        ErrorCode::kRefused,
        fmt::format("the {} {} lies in the repository {}", what, own.string(), folder.string()),
        what == "home" ? "name another folder with --home" : "name another folder");
  }
}

std::vector<KnownBackup> known_backups(const repo::Repository& repository, ResultSink& sink) {
  // What was listed to open it is what there is; on a slow store a listing is dear.
  return read_backups(
      repository,
      repository.index_is_fresh() ? repository.listed_manifests() : repository.list_manifests(),
      sink);
}

std::vector<KnownBackup> read_backups(const repo::Repository& repository,
                                      const std::vector<repo::ManifestInfo>& manifests,
                                      ResultSink& sink) {
  std::vector<KnownBackup> backups;
  for (const repo::ManifestInfo& info : manifests) {
    try {
      backups.push_back({info.id, info.size_bytes,
                         parse_manifest(repository.read_manifest(info.id), info.id.hex())});
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kIntegrity && error.code() != ErrorCode::kNotFound) throw;
      sink.notice(fmt::format("the backup {} cannot be read: {}", short_backup_id(info.id.hex()),
                              error.message()));
    }
  }
  sort_by_time(backups);
  return backups;
}

const KnownBackup& backup_named(const std::vector<KnownBackup>& backups, const std::string& id) {
  if (id == "latest" && !backups.empty()) return backups.back();
  if (id.size() < kLeastDigits) {
    throw Error(ErrorCode::kUsage, fmt::format("\"{}\" is too short for the id of a backup", id),
                fmt::format("write {} digits or more, as backup list shows them", kLeastDigits));
  }
  const KnownBackup* found = nullptr;
  for (const KnownBackup& backup : backups) {
    if (!backup.id.hex().starts_with(id)) continue;
    if (found != nullptr) {
      throw Error(ErrorCode::kUsage, fmt::format("several backups begin with {}", id),
                  "write more digits of its id");
    }
    found = &backup;
  }
  if (found != nullptr) return *found;
  throw Error(ErrorCode::kNotFound, fmt::format("there is no backup {}", id),
              backups.empty() ? "the repository has no backups"
                              : "the latest is " + short_backup_id(backups.back().id.hex()));
}

std::string utc_text(std::int64_t time_us) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     fmt::gmtime(static_cast<std::time_t>(time_us / 1'000'000)));
}

}  // namespace coppice::recovery
