#include "repo/repository.h"

#include <fmt/core.h>

#include <algorithm>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace coppice::repo {
namespace {

using nlohmann::json;

constexpr const char* kFormatObject = "coppice-repository";
constexpr const char* kEncryption = "aes-256-gcm";
constexpr int kFormat = 1;

Error named(const std::string& name, const Error& error) {
  return Error(error.code(), fmt::format("{}: {}", name, error.message()), error.hint());
}

struct Description {
  std::string id;
  std::string encryption;
};

Description read_description(ObjectStore& store) {
  std::string text;
  try {
    text = store.get(kFormatObject);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
    throw Error(ErrorCode::kNotFound, fmt::format("there is no repository in {}", store.place()),
                "make one: coppice backup init");
  }
  try {
    const json content = json::parse(text);
    const int format = content.at("format").get<int>();
    if (format > kFormat) {
      throw Error(ErrorCode::kNewerFormat,
                  fmt::format("the repository in {} has format {}, and this program knows {}",
                              store.place(), format, kFormat),
                  "use a newer coppice");
    }
    return {content.at("id").get<std::string>(), content.at("encryption").get<std::string>()};
  } catch (const json::exception&) {
    throw Error(ErrorCode::kIntegrity, fmt::format("{} in {} is not what a repository has there",
                                                   kFormatObject, store.place()));
  }
}

}  // namespace

std::string get_checked(ObjectStore& store, const std::string& name) {
  std::string bytes = store.get(name);
  if (ObjectId{sha256(bytes)} == object_id(name)) return bytes;
  throw Error(
      ErrorCode::kIntegrity,
      fmt::format("{} in {} is damaged: its bytes are not those of its name", name, store.place()));
}

Repository Repository::create(ObjectStore& store, const Opener& opener, const Clock& clock) {
  if (store.stat(kFormatObject)) {
    throw Error(ErrorCode::kAlreadyExists,
                fmt::format("there is a repository in {} already", store.place()));
  }
  bool empty = true;
  store.list("", [&](const ObjectInfo&) { empty = false; });
  if (!empty) {
    throw Error(ErrorCode::kRefused, fmt::format("{} is not empty", store.place()),
                "give a folder that is empty or not there");
  }
  const std::string id = to_hex(random_bytes(16));
  Keys keys = opener ? create_access(store, *opener, "first", clock) : Keys();
  const json content = {
      {"format", kFormat}, {"id", id}, {"encryption", opener ? kEncryption : "none"}};
  // Last: what a crash leaves before it is no repository.
  if (!store.put(kFormatObject, content.dump(2) + "\n")) {
    throw Error(ErrorCode::kConflict,
                fmt::format("somebody else has just made a repository in {}", store.place()));
  }
  return {store, id, std::move(keys)};
}

Repository Repository::open(ObjectStore& store, const Opener& opener) {
  const Description description = read_description(store);
  if (description.encryption == "none") {
    if (!opener) return {store, description.id, Keys()};
    throw Error(
        ErrorCode::kRefused,
        fmt::format("the repository in {} is not encrypted, and a key was given", store.place()),
        "if that is right, say --no-encryption instead");
  }
  if (description.encryption != kEncryption) {
    throw Error(ErrorCode::kNewerFormat,
                fmt::format("the repository in {} is encrypted with {}, which this program does "
                            "not know",
                            store.place(), description.encryption),
                "use a newer coppice");
  }
  if (!opener) {
    throw Error(
        ErrorCode::kRefused,
        fmt::format("the repository in {} is encrypted, and no key was given", store.place()),
        "set COPPICE_REPO_PASSWORD, or give --password-file, --password-command or --key-file");
  }
  return {store, description.id, open_access(store, *opener)};
}

std::vector<Damage> Repository::load_index() {
  for (;;) {
    if (auto damages = read_indexes()) return *damages;
  }
}

// nullopt when one was replaced by others after it was listed.
std::optional<std::vector<Damage>> Repository::read_indexes() {
  std::vector<Damage> damages;
  std::vector<std::string> names;
  store_.list("index/", [&](const ObjectInfo& info) { names.push_back(info.name); });
  Index index;
  for (const std::string& name : names) {
    try {
      IndexPart part = IndexPart::decode(keys_, get_checked(store_, name));
      part.object = object_id(name);
      index.add(std::move(part));
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kNotFound) return std::nullopt;
      if (error.code() != ErrorCode::kIntegrity) throw;
      damages.push_back({name, error.message()});
    }
  }
  const std::unique_lock lock(mutex_->mutex);
  index_ = std::move(index);
  return damages;
}

bool Repository::has(const BlobId& id) const {
  const std::shared_lock lock(mutex_->mutex);
  return index_.find(id).has_value();
}

std::size_t Repository::blob_count() const {
  const std::shared_lock lock(mutex_->mutex);
  return index_.entry_count();
}

std::string Repository::read(const BlobId& id) const {
  std::set<ObjectId> tried;
  std::optional<Error> failure;
  for (;;) {
    IndexedPack pack;
    IndexEntry entry;
    {
      const std::shared_lock lock(mutex_->mutex);
      const auto place =
          index_.find(id, [&](const ObjectId& candidate) { return !tried.contains(candidate); });
      if (!place) break;
      pack = *place->pack;
      entry = *place->entry;
    }
    tried.insert(pack.id);
    try {
      return read_at(pack, entry);
    } catch (const Error& error) {
      // Another pack may have it.
      if (error.code() != ErrorCode::kIntegrity && error.code() != ErrorCode::kNotFound) throw;
      if (!failure) failure = error;
    }
  }
  if (failure) throw Error(*failure);
  throw Error(ErrorCode::kNotFound,
              fmt::format("the blob {} is in no index of {}", id.hex(), store_.place()));
}

std::string Repository::read_at(const IndexedPack& pack, const IndexEntry& entry) const {
  const std::string name = pack_name(pack.id);
  try {
    SealedReader reader(keys_, pack.header());
    const std::string frame = store_.get_part(name, entry.offset, entry.frame_length);
    return read_blob(keys_, reader, entry.in_pack(), entry.number, frame);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kIntegrity) throw;
    throw named(name, error);
  }
}

void Repository::add_index(IndexPart part) {
  if (part.empty()) return;
  part.sort();
  const std::string bytes = part.encode(keys_);
  IndexPart::decode(keys_, bytes);  // it can be read again
  part.object = {sha256(bytes)};
  store_.put(object_name("index", part.object), bytes);
  const std::unique_lock lock(mutex_->mutex);
  index_.add(std::move(part));
}

ObjectId Repository::put_sealed(std::string_view folder, ObjectKind kind, std::string_view plain) {
  SealedWriter writer(keys_, kind);
  writer.add(plain);
  const std::string bytes = writer.finish();
  const ObjectId id{sha256(bytes)};
  store_.put(object_name(folder, id), bytes);
  return id;
}

std::string Repository::get_sealed(std::string_view folder, ObjectKind kind,
                                   const ObjectId& id) const {
  const std::string name = object_name(folder, id);
  const std::string bytes = get_checked(store_, name);
  try {
    SealedReader reader(keys_, parse_header(bytes, kind));
    return reader.open(0, std::string_view(bytes).substr(kHeaderBytes));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kIntegrity) throw;
    throw named(name, error);
  }
}

ObjectId Repository::put_manifest(std::string_view text) {
  return put_sealed("backups", ObjectKind::kBackup, text);
}

std::string Repository::read_manifest(const ObjectId& id) const {
  return get_sealed("backups", ObjectKind::kBackup, id);
}

std::vector<ManifestInfo> Repository::list_manifests() const {
  std::vector<ManifestInfo> all;
  store_.list("backups/", [&](const ObjectInfo& info) {
    all.push_back({object_id(info.name), info.size_bytes, info.modified_us});
  });
  std::sort(all.begin(), all.end(), [](const ManifestInfo& one, const ManifestInfo& other) {
    return std::tie(one.modified_us, one.id) < std::tie(other.modified_us, other.id);
  });
  return all;
}

bool Repository::remove_manifest(const ObjectId& id) {
  return store_.remove(object_name("backups", id));
}

}  // namespace coppice::repo
