#include "recovery/load_media.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "recovery/files.h"
#include "repo/parallel.h"

namespace coppice::recovery {
namespace {

constexpr std::size_t kNamesOfStep = 64;

struct Wanted {
  MediaName name;
  const MediaObject* object = nullptr;  // of the backup
  std::uint64_t added_bytes = 0;
  bool added = false;
  std::string failure;
};

void write_object(const repo::Repository& repository, MediaStore& store, bool replace,
                  Wanted& wanted) {
  MediaWriter writer(store);
  read_blobs(repository, wanted.object->blobs,
             [&](std::string_view bytes) { writer.append(bytes); });
  wanted.added_bytes = writer.size_bytes();
  if (replace) store.remove(wanted.name);  // now that another copy is at hand
  const MediaName stored = writer.finish(wanted.name.extension);
  wanted.added = stored.sha256_hex == wanted.name.sha256_hex;
  if (wanted.added) return;
  store.remove(stored);
  wanted.failure = "the backup has other bytes for it";
}

void load_one(const repo::Repository& repository, MediaStore& store, const LoadRequest& request,
              Wanted& wanted) {
  const bool is_there = !request.replace && store.contains(wanted.name);
  if (wanted.object == nullptr) {
    if (!is_there) {
      wanted.failure = "the backup does not have it";
    } else if (!request.dry_run) {
      store.renew(wanted.name, store.size_of(wanted.name));
    }
    return;
  }
  if (request.dry_run) {
    wanted.added = !is_there || store.size_of(wanted.name) != wanted.object->size_bytes;
    wanted.added_bytes = wanted.object->size_bytes;
    return;
  }
  if (is_there && store.renew(wanted.name, wanted.object->size_bytes)) return;
  try {
    write_object(repository, store, request.replace, wanted);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kIntegrity && error.code() != ErrorCode::kNotFound) throw;
    wanted.failure = error.message();
  }
}

}  // namespace

BackupMedia::BackupMedia(const repo::Repository& repository, const Tree& home)
    : repository_(repository) {
  home.checked([&] {
    for (const nlohmann::json& part : home.member("media")) {
      trees_[part.at("prefix").get<std::string>()] = home.tree(part.at("tree"));
    }
  });
}

const MediaObject* BackupMedia::find(const std::string& name) {
  for (const auto& [prefix, tree] : trees_) {
    if (!name.starts_with(prefix)) continue;
    auto part = parts_.find(prefix);
    if (part == parts_.end())
      part = parts_.emplace(prefix, read_media_tree(repository_, tree)).first;
    const auto found = part->second.find(name);
    if (found != part->second.end()) return &found->second;
  }
  return nullptr;
}

LoadedMedia load_media(const repo::Repository& repository, BackupMedia& media, MediaStore& store,
                       const std::set<std::string>& names, const LoadRequest& request,
                       ResultSink& sink, const std::function<void()>& on_step) {
  LoadedMedia loaded;
  Progress progress{"restoring media", 0, names.size()};
  for (auto next = names.begin(); next != names.end();) {
    std::vector<Wanted> step;
    for (; next != names.end() && step.size() < kNamesOfStep; ++next) {
      const std::optional<MediaName> name = MediaName::parse("media:" + *next);
      COPPICE_ASSERT(name.has_value());  // for_each_media_name() found it
      step.push_back({*name, media.find(*next), 0, false, {}});
    }
    repo::for_each_parallel(
        step.size(), {}, [](std::size_t) { return kFileBlobBytes; },
        [&](std::size_t i) { load_one(repository, store, request, step[i]); });
    std::vector<MediaName> there;
    for (const Wanted& one : step) {
      if (!one.failure.empty()) {
        loaded.lacking.push_back(fmt::format("{}: {}", one.name.text(), one.failure));
        continue;
      }
      there.push_back(one.name);
      if (!one.added) continue;
      ++loaded.added;
      loaded.bytes += one.added_bytes;
    }
    if (!request.dry_run) store.make_durable(there);
    progress.done += step.size();
    sink.progress(progress);
    on_step();
  }
  return loaded;
}

}  // namespace coppice::recovery
