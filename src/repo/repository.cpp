#include "repo/repository.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/crash_point.h"
#include "base/error.h"
#include "base/hex.h"
#include "repo/parallel.h"

namespace coppice::repo {
namespace {

using nlohmann::json;

constexpr const char* kFormatObject = "coppice-repository";
constexpr const char* kEncryption = "aes-256-gcm";
constexpr std::uint64_t kFormat = 1;

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
                "coppice backup create makes one in a folder that is empty or not there");
  }
  try {
    const json content = json::parse(text);
    const auto format = content.at("format").get<std::uint64_t>();
    if (format > kFormat) {
      throw Error(ErrorCode::kNewerFormat,
                  fmt::format("the repository in {} has format {}, and this program knows {}",
                              store.place(), format, kFormat),
                  "use a newer coppice");
    }
    const auto id = content.at("id").get<std::string>();
    // It becomes the name of a folder.
    const auto raw = from_hex(id);
    if (raw && raw->size() == 16) return {id, content.at("encryption").get<std::string>()};
  } catch (const json::exception&) {
    // As below.
  }
  throw Error(ErrorCode::kIntegrity, fmt::format("{} in {} is not what a repository has there",
                                                 kFormatObject, store.place()));
}

void check_encryption(const ObjectStore& store, const Description& description,
                      const Opener& opener) {
  if (description.encryption == "none") {
    if (!opener) return;
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
  if (opener) return;
  throw Error(
      ErrorCode::kRefused,
      fmt::format("the repository in {} is encrypted, and no key was given", store.place()),
      "set COPPICE_REPO_PASSWORD, or give --password-file, --password-command or --key-file");
}

std::vector<ManifestInfo> in_order_of_time(std::vector<ManifestInfo> all) {
  std::sort(all.begin(), all.end(), [](const ManifestInfo& one, const ManifestInfo& other) {
    return std::tie(one.modified_us, one.id) < std::tie(other.modified_us, other.id);
  });
  return all;
}

// Of a cache: the frame of a blob.
std::string part_name(const ObjectId& pack, const PackEntry& entry) {
  const std::string hex = pack.hex();
  return fmt::format("parts/{}/{}-{}-{}", hex.substr(0, 2), hex, entry.offset, entry.frame_length);
}

// Of an object of one frame.
std::string open_object(const Keys& keys, const std::string& name, ObjectKind kind,
                        std::string_view bytes) {
  try {
    SealedReader reader(keys, parse_header(bytes, kind));
    return reader.open(0, bytes.substr(kHeaderBytes));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kIntegrity) throw;
    throw named(name, error);
  }
}

// Last: what a crash leaves before it is no repository. False when somebody else was first.
bool put_description(ObjectStore& store, const std::string& id, bool encrypted) {
  const json content = {
      {"format", kFormat}, {"id", id}, {"encryption", encrypted ? kEncryption : "none"}};
  return store.put(kFormatObject, content.dump(2) + "\n");
}

Error was_just_made(const ObjectStore& store) {
  return {ErrorCode::kConflict,
          fmt::format("somebody else has just made a repository in {}", store.place())};
}

void refuse_repository(ObjectStore& store) {
  if (!store.stat(kFormatObject)) return;
  throw Error(ErrorCode::kAlreadyExists,
              fmt::format("there is a repository in {} already", store.place()));
}

Error not_empty(const ObjectStore& store) {
  return {ErrorCode::kRefused, fmt::format("{} is not empty", store.place()),
          "give a folder that is empty or not there"};
}

// Where there is no repository: documents of who died while he made one. Throws when there is
// anything else.
std::vector<std::string> left_by_the_dead(ObjectStore& store) {
  std::vector<std::string> left;
  store.list("", [&](const ObjectInfo& info) {
    const std::string_view folder = std::string_view(info.name).substr(0, info.name.rfind('/'));
    if (folder != kKeyFolder && folder != kEpochFolder) throw not_empty(store);
    left.push_back(info.name);
  });
  return left;
}

// Which accesses and epochs there are, the listing says; what is in them, the cache. When a
// document of it does not open what it should, all come from the store.
Keys open_keys(ObjectStore& store, const Listing& listing, const Secret& secret,
               const std::string& id, ObjectCache* cache) {
  const auto from_store = [&](const std::string& name) { return store.get(name); };
  if (cache == nullptr) return open_access(listing, from_store, secret, store.place());
  std::map<std::string, std::string> read;
  std::set<std::string> cached;
  try {
    Keys keys = open_access(
        listing,
        [&](const std::string& name) {
          std::optional<std::string> bytes = cache->get(id, name);
          if (bytes) cached.insert(name);
          return bytes ? *bytes : read[name] = store.get(name);
        },
        secret, store.place());
    for (const auto& [name, bytes] : read) cache->put(id, name, bytes);
    return keys;
  } catch (const Error&) {
    if (cached.empty()) throw;
    for (const std::string& name : cached) cache->remove(id, name);
    return open_access(listing, from_store, secret, store.place());
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
  refuse_repository(store);
  const std::vector<std::string> left = left_by_the_dead(store);
  const std::string id = to_hex(random_bytes(16));
  Keys keys = opener ? create_access(store, *opener, "first", clock) : Keys();
  if (!put_description(store, id, opener.has_value())) {
    // Documents of several repositories in one place would open none of them.
    for (const std::string& name : own_documents(store, keys)) store.remove(name);
    throw was_just_made(store);
  }
  for (const std::string& name : left) store.remove(name);
  return {store, id, std::move(keys)};
}

Repository Repository::create_copy(ObjectStore& store, const Repository& of) {
  refuse_repository(store);
  const std::map<std::string, std::string> documents = key_documents(of.store_, of.keys_);
  store.list("", [&](const ObjectInfo& info) {
    const auto document = documents.find(info.name);
    if (document == documents.end() || store.get(info.name) != document->second) {
      throw not_empty(store);
    }
  });
  for (const auto& [name, text] : documents) store.put(name, text);
  const std::string id = to_hex(random_bytes(16));
  reach_crash_point("copy.keys_stored");
  if (!put_description(store, id, of.encrypted())) throw was_just_made(store);
  return {store, id, of.keys_};
}

Repository Repository::open(ObjectStore& store, const Opener& opener, ObjectCache* cache) {
  const Description description = read_description(store);
  check_encryption(store, description, opener);
  Listing listing = list_repository(store);
  Keys keys = opener ? open_keys(store, listing, *opener, description.id, cache) : Keys();
  Repository repository(store, description.id, std::move(keys), cache);
  repository.listing_ = std::move(listing);
  return repository;
}

std::vector<Damage> Repository::load_index(AsOf when) {
  const bool first = when == AsOf::kOpened && !index_loaded_ && is_fresh(listing_);
  if (!first) listing_ = list_repository(store_);
  for (;;) {
    if (auto damages = read_indexes()) return *damages;
    listing_ = list_repository(store_);
  }
}

// nullopt when one was replaced by others after it was listed.
std::optional<std::vector<Damage>> Repository::read_indexes() {
  std::set<ObjectId> loaded;
  for (const IndexPart& part : index_.parts()) loaded.insert(part.object);
  std::set<ObjectId> wanted;
  std::vector<ListedObject> others;
  for (const ListedObject& object : listing_.indexes) {
    wanted.insert(object.id);
    if (!loaded.contains(object.id)) others.push_back(object);
  }
  std::vector<Damage> damages;
  std::vector<std::optional<IndexPart>> parts(others.size());  // in their order, whoever is first
  std::mutex result;
  try {
    for_each_parallel(
        others.size(), {}, [&](std::size_t i) { return others[i].size_bytes; },
        [&](std::size_t i) {
          const std::string name = object_name(kIndexFolder, others[i].id);
          try {
            IndexPart part = IndexPart::decode(keys_, get_object(name));
            part.object = others[i].id;
            parts[i] = std::move(part);
          } catch (const Error& error) {
            if (error.code() != ErrorCode::kIntegrity) throw;
            const std::lock_guard lock(result);
            damages.push_back({name, error.message()});
          }
        });
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kNotFound) return std::nullopt;
    throw;
  }
  Index index;
  for (std::optional<IndexPart>& part : parts) {
    if (part) index.add(*std::move(part));
  }
  const std::unique_lock lock(mutex_->mutex);
  index.take(std::move(index_), wanted);
  index.merge();
  index_ = std::move(index);
  index_loaded_ = true;
  return damages;
}

// An object that is named by its content.
std::string Repository::get_object(const std::string& name) const {
  if (cache_ != nullptr) {
    std::optional<std::string> cached = cache_->get(id_, name);
    if (cached && ObjectId{sha256(*cached)} == object_id(name)) return std::move(*cached);
  }
  std::string bytes = get_checked(store_, name);
  if (cache_ != nullptr) cache_->put(id_, name, bytes);
  return bytes;
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
  try {
    SealedReader reader(keys_, pack.header());
    return read_blob(keys_, reader, entry.in_pack(), entry.number, read_frame(pack, entry));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kIntegrity) throw;
    throw named(pack_name(pack.id), error);
  }
}

std::string Repository::read_frame(const IndexedPack& pack, const IndexEntry& entry) const {
  const bool tree = (entry.flags & kBlobTree) != 0;
  const std::string cached = part_name(pack.id, entry.in_pack());
  if (tree && cache_ != nullptr) {
    std::optional<std::string> frame = cache_->get(id_, cached);
    if (frame) return std::move(*frame);
  }
  std::string frame = store_.get_part(pack_name(pack.id), entry.offset, entry.frame_length);
  if (tree && cache_ != nullptr) cache_->put(id_, cached, frame);
  return frame;
}

void Repository::cache_trees(const Pack& pack) const {
  if (cache_ == nullptr) return;
  for (const PackEntry& entry : pack.entries) {
    if ((entry.flags & kBlobTree) == 0) continue;
    const std::string_view frame =
        std::string_view(pack.bytes).substr(entry.offset, entry.frame_length);
    cache_->put(id_, part_name(pack.id, entry), frame);
  }
}

void Repository::add_index(IndexPart part) {
  if (part.empty()) return;
  part.sort();
  const std::string bytes = part.encode(keys_);
  IndexPart::decode(keys_, bytes);  // it can be read again
  part.object = {sha256(bytes)};
  const std::string name = object_name(kIndexFolder, part.object);
  store_.put(name, bytes);
  if (cache_ != nullptr) cache_->put(id_, name, bytes);
  const std::unique_lock lock(mutex_->mutex);
  index_.add(std::move(part));
  listing_.at = {};  // there is more than it says
}

ObjectId Repository::put_sealed(std::string_view folder, ObjectKind kind, std::string_view plain) {
  SealedWriter writer(keys_, kind);
  writer.add(plain);
  const std::string bytes = writer.finish();
  const ObjectId id{sha256(bytes)};
  const std::string name = object_name(folder, id);
  store_.put(name, bytes);
  if (cache_ != nullptr) cache_->put(id_, name, bytes);
  return id;
}

std::string Repository::get_sealed(std::string_view folder, ObjectKind kind,
                                   const ObjectId& id) const {
  const std::string name = object_name(folder, id);
  return open_object(keys_, name, kind, get_object(name));
}

std::string Repository::open_manifest(const ObjectId& id, std::string_view sealed) const {
  return open_object(keys_, object_name(kBackupFolder, id), ObjectKind::kBackup, sealed);
}

ObjectId Repository::put_manifest(std::string_view text) {
  return put_sealed(kBackupFolder, ObjectKind::kBackup, text);
}

std::string Repository::read_manifest(const ObjectId& id) const {
  return get_sealed(kBackupFolder, ObjectKind::kBackup, id);
}

std::vector<ManifestInfo> Repository::list_manifests() const {
  std::vector<ManifestInfo> all;
  store_.list(std::string(kBackupFolder) + "/", [&](const ObjectInfo& info) {
    const std::optional<ObjectId> id = listed_id(info.name);
    if (id) all.push_back({*id, info.size_bytes, info.modified_us});
  });
  return in_order_of_time(std::move(all));
}

std::vector<ManifestInfo> Repository::listed_manifests() const {
  return in_order_of_time(listing_.backups);
}

bool Repository::remove_manifest(const ObjectId& id) {
  return store_.remove(object_name(kBackupFolder, id));
}

}  // namespace coppice::repo
