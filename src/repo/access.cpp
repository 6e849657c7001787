#include "repo/access.h"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>
#include <set>

#include "base/base64.h"
#include "base/error.h"
#include "base/hex.h"

namespace coppice::repo {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMostMemoryBytes = std::uint64_t{1} << 30;
constexpr std::uint64_t kMostPasses = 16;
constexpr int kMostDepth = 8;
constexpr std::size_t kSecretsBytes = 64;  // id key, epoch key

std::string hex_id() { return to_hex(random_bytes(16)); }

std::string utc(const Clock& clock) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     fmt::gmtime(static_cast<std::time_t>(clock.now_us() / 1'000'000)));
}

std::string kind_name(Secret::Kind kind) {
  return kind == Secret::Kind::kPassphrase ? "passphrase" : "key-file";
}

Error damaged(const std::string& name, const std::string& what) {
  return Error(ErrorCode::kIntegrity, fmt::format("{}: {}", name, what));
}

struct SealedEpoch {
  std::string id;
  std::uint64_t number = 0;
  std::string secrets;
};

// A document of the store; what does not fit becomes an Error that names it.
class Document {
 public:
  static Document read(ObjectStore& store, const std::string& name) {
    return parse(name, store.get(name));
  }
  static Document parse(const std::string& name, const std::string& text) {
    json content;
    try {
      // What is as deep as its writer likes would be written again, for the MAC, on the stack.
      content = json::parse(text, [&](int depth, json::parse_event_t, const json&) {
        if (depth > kMostDepth) throw damaged(name, "it is no document of a repository");
        return true;
      });
    } catch (const json::exception&) {
      throw damaged(name, "it is no JSON");
    }
    if (!content.is_object()) throw damaged(name, "it is no document of a repository");
    Document document(name, std::move(content));
    if (document.number("format") != 1) {
      throw Error(ErrorCode::kNewerFormat,
                  fmt::format("{} has format {}, and this program knows 1", name,
                              document.number("format")),
                  "use a newer coppice");
    }
    return document;
  }

  std::string text(const char* member) const {
    const auto found = content_.find(member);
    if (found == content_.end() || !found->is_string()) {
      throw damaged(name_, fmt::format("it has no {}", member));
    }
    return found->get<std::string>();
  }
  std::uint64_t number(const char* member) const { return number_of(content_, member); }
  std::uint64_t kdf_number(const char* member) const { return number_of(part("kdf"), member); }
  std::string kdf_text(const char* member) const {
    const json& kdf = part("kdf");
    const auto found = kdf.find(member);
    if (found == kdf.end() || !found->is_string()) throw damaged(name_, "its kdf is incomplete");
    return found->get<std::string>();
  }
  std::string binary(const std::string& base64, std::size_t size_bytes = 0) const {
    const auto bytes = from_base64(base64);
    if (!bytes || (size_bytes > 0 && bytes->size() != size_bytes)) {
      throw damaged(name_, "a value in it is not base64 of the right length");
    }
    return *bytes;
  }
  // Of an epoch: what is sealed for the access `id`; nullopt when nothing is.
  std::optional<std::string> sealed(const std::string& id) const {
    const json& all = part("sealed");
    const auto found = all.find(id);
    if (found == all.end() || !found->is_string()) return std::nullopt;
    return binary(found->get<std::string>());
  }
  // Of an access: the epochs that there were when it was made.
  std::vector<SealedEpoch> sealed_epochs() const {
    std::vector<SealedEpoch> epochs;
    for (const auto& [id, value] : part("sealed").items()) {
      if (!value.is_object()) throw damaged(name_, "an epoch in it is none");
      const auto secrets = value.find("secrets");
      if (secrets == value.end() || !secrets->is_string()) {
        throw damaged(name_, "an epoch in it is none");
      }
      epochs.push_back({id, number_of(value, "number"), binary(secrets->get<std::string>())});
    }
    return epochs;
  }

  void check_mac(const Keys& keys) const {
    json content = content_;
    content.erase("mac");
    const Digest mac = hmac_sha256(keys.id_key(), content.dump());
    if (text("mac") == to_base64({reinterpret_cast<const char*>(mac.data()), mac.size()})) return;
    throw damaged(name_, "it was not written by anybody who holds a key of this repository");
  }
  const std::string& name() const { return name_; }

 private:
  Document(std::string name, json content) : name_(std::move(name)), content_(std::move(content)) {}

  const json& part(const char* member) const {
    const auto found = content_.find(member);
    if (found != content_.end() && found->is_object()) return *found;
    throw damaged(name_, fmt::format("it has no {}", member));
  }
  std::uint64_t number_of(const json& from, const char* member) const {
    const auto found = from.find(member);
    if (found != from.end() && found->is_number_unsigned()) return found->get<std::uint64_t>();
    throw damaged(name_, fmt::format("it has no {}", member));
  }

  std::string name_;
  json content_;
};

void put_document(ObjectStore& store, const std::string& name, json content, const Keys& keys) {
  const Digest mac = hmac_sha256(keys.id_key(), content.dump());
  content["mac"] = to_base64({reinterpret_cast<const char*>(mac.data()), mac.size()});
  if (!store.put(name, content.dump(2) + "\n")) {
    throw Error(ErrorCode::kConflict,
                fmt::format("{} is there already in {}", name, store.place()));
  }
}

std::string sealed_secrets(const std::string& public_key, const Keys& keys, const Key& epoch) {
  std::string secrets(keys.id_key().view());
  secrets += epoch.view();
  return to_base64(seal_for(public_key, secrets));
}

Key wrapping_key(const Secret& secret, const Document& document) {
  const std::string salt = document.binary(document.kdf_text("salt"), kArgon2SaltBytes);
  if (secret.kind == Secret::Kind::kKeyFile) return hkdf_sha256(secret.bytes, salt, "key file");
  const Argon2 how{document.kdf_number("memory_bytes"), document.kdf_number("passes"), salt};
  if (document.kdf_text("name") != "argon2id" || how.memory_bytes > kMostMemoryBytes ||
      how.memory_bytes < 8192 || how.passes > kMostPasses || how.passes == 0) {
    throw damaged(document.name(), "its kdf is none that this program accepts");
  }
  return argon2id(secret.bytes, how);
}

std::string authenticated_with(const std::string& id, const std::string& kind) {
  return "1\n" + id + "\n" + kind;
}

void check_secret(const Secret& secret) {
  if (secret.kind == Secret::Kind::kKeyFile && secret.bytes.size() < kLeastKeyFileBytes) {
    throw Error(ErrorCode::kUsage,
                fmt::format("a key file has {} random bytes at least, this one has {}",
                            kLeastKeyFileBytes, secret.bytes.size()),
                "make one: head -c 32 /dev/urandom > key");
  }
  if (secret.bytes.empty()) throw Error(ErrorCode::kUsage, "the passphrase is empty");
}

// The id, and what an access's document says but for `sealed`.
struct NewAccess {
  std::string id;
  KeyPair pair;
  json document;
};

NewAccess make_access(const Secret& secret, const std::string& label, const Clock& clock) {
  check_secret(secret);
  NewAccess access{hex_id(), make_key_pair(), {}};
  const std::string kind = kind_name(secret.kind);
  const std::string salt = random_bytes(kArgon2SaltBytes);
  json kdf;
  Key wrapping;
  if (secret.kind == Secret::Kind::kKeyFile) {
    kdf = {{"name", "hkdf-sha256"}, {"salt", to_base64(salt)}};
    wrapping = hkdf_sha256(secret.bytes, salt, "key file");
  } else {
    const Argon2 how{.salt = salt};
    kdf = {{"name", "argon2id"},
           {"memory_bytes", how.memory_bytes},
           {"passes", how.passes},
           {"salt", to_base64(salt)}};
    wrapping = argon2id(secret.bytes, how);
  }
  std::string wrapped = random_bytes(kNonceBytes);
  const std::string nonce = wrapped;
  Cipher(wrapping).seal(nonce, access.pair.secret.view(), authenticated_with(access.id, kind),
                        wrapped);
  access.document = {{"format", 1},
                     {"id", access.id},
                     {"created_at", utc(clock)},
                     {"kind", kind},
                     {"kdf", kdf},
                     {"public", to_base64(access.pair.open)},
                     {"private", to_base64(wrapped)},
                     {"label", label}};
  return access;
}

// nullopt when the secret is not that of this access.
std::optional<KeyPair> unwrap(const Document& document, const Secret& secret) {
  const std::string wrapped = document.binary(document.text("private"));
  const std::string kind = document.text("kind");
  if (kind != kind_name(secret.kind) || wrapped.size() < kNonceBytes) return std::nullopt;
  const std::string_view all = wrapped;
  const auto plain = Cipher(wrapping_key(secret, document))
                         .open(all.substr(0, kNonceBytes), all.substr(kNonceBytes),
                               authenticated_with(document.text("id"), kind));
  if (!plain || plain->size() != 32) return std::nullopt;
  return KeyPair{document.binary(document.text("public"), 32), Key(*plain)};
}

struct OpenedSecrets {
  Key id_key, epoch_key;
};

OpenedSecrets open_secrets(const KeyPair& pair, const std::string& sealed,
                           const std::string& name) {
  const auto secrets = open_sealed(pair, sealed);
  if (!secrets || secrets->size() != kSecretsBytes) {
    throw damaged(name, "what is sealed in it cannot be opened");
  }
  return {Key(std::string_view(*secrets).substr(0, 32)),
          Key(std::string_view(*secrets).substr(32))};
}

std::string raw_id(const std::string& hex, const std::string& name) {
  const auto raw = from_hex(hex);
  if (raw && raw->size() == kEpochBytes) return *raw;
  throw damaged(name, fmt::format("\"{}\" is no id", hex));
}

std::string key_name(const std::string& id) { return fmt::format("{}/{}", kKeyFolder, id); }
std::string epoch_name(const std::string& id) { return fmt::format("{}/{}", kEpochFolder, id); }

json sealed_epoch(std::uint64_t number, const std::string& secrets) {
  return {{"number", number}, {"secrets", secrets}};
}

// Every epoch: those that were there before the access was made are sealed in its document, the
// others in their own.
Keys keys_of(const Listing& listing, const std::function<std::string(const std::string&)>& read,
             const Document& access, const KeyPair& pair) {
  std::optional<Keys> keys;
  std::set<std::string> known;
  for (const SealedEpoch& epoch : access.sealed_epochs()) {
    const OpenedSecrets secrets = open_secrets(pair, epoch.secrets, access.name());
    if (!keys) {
      keys.emplace(secrets.id_key);
      access.check_mac(*keys);
    }
    keys->add_epoch(raw_id(epoch.id, access.name()), epoch.number, secrets.epoch_key);
    known.insert(epoch_name(epoch.id));
  }
  if (!keys) throw damaged(access.name(), "no epoch is sealed for this access");
  for (const std::string& name : listing.epochs) {
    if (known.contains(name)) continue;
    const Document epoch = Document::parse(name, read(name));
    epoch.check_mac(*keys);
    const std::string id = epoch.text("id");
    if (name != epoch_name(id)) throw damaged(name, "it is another's document");
    const std::optional<std::string> sealed = epoch.sealed(access.text("id"));
    if (!sealed) continue;  // it was made while this access was being added
    const OpenedSecrets secrets = open_secrets(pair, *sealed, name);
    keys->add_epoch(raw_id(id, name), epoch.number("number"), secrets.epoch_key);
  }
  return std::move(*keys);
}

void put_epoch(ObjectStore& store, const Keys& keys, const std::string& id, std::uint64_t number,
               const json& sealed, const Clock& clock) {
  put_document(store, epoch_name(id),
               {{"format", 1},
                {"id", id},
                {"number", number},
                {"created_at", utc(clock)},
                {"sealed", sealed}},
               keys);
}

}  // namespace

Keys create_access(ObjectStore& store, const Secret& secret, const std::string& label,
                   const Clock& clock) {
  Keys keys(Key::random());
  const std::string epoch = hex_id();
  const Key epoch_key = Key::random();
  keys.add_epoch(raw_id(epoch, epoch_name(epoch)), 1, epoch_key);
  NewAccess access = make_access(secret, label, clock);
  const std::string sealed = sealed_secrets(access.pair.open, keys, epoch_key);
  access.document["sealed"] = {{epoch, sealed_epoch(1, sealed)}};
  put_epoch(store, keys, epoch, 1, {{access.id, sealed}}, clock);
  put_document(store, key_name(access.id), access.document, keys);
  return keys;
}

Keys open_access(ObjectStore& store, const Secret& secret) {
  return open_access(
      list_repository(store), [&](const std::string& name) { return store.get(name); }, secret,
      store.place());
}

Keys open_access(const Listing& listing,
                 const std::function<std::string(const std::string& name)>& read,
                 const Secret& secret, const std::string& place) {
  check_secret(secret);
  if (listing.keys.empty()) {
    throw Error(ErrorCode::kIntegrity,
                fmt::format("{} has no access: {}/ is empty", place, kKeyFolder));
  }
  for (const std::string& name : listing.keys) {
    const Document document = Document::parse(name, read(name));
    if (name != key_name(document.text("id"))) throw damaged(name, "it is another's document");
    const std::optional<KeyPair> pair = unwrap(document, secret);
    if (pair) return keys_of(listing, read, document, *pair);
  }
  throw Error(
      ErrorCode::kRefused,
      fmt::format("the {} opens no access of the repository in {}",
                  secret.kind == Secret::Kind::kPassphrase ? "passphrase" : "key file", place));
}

std::string add_access(ObjectStore& store, const Keys& keys, const Secret& secret,
                       const std::string& label, const Clock& clock) {
  NewAccess access = make_access(secret, label, clock);
  json sealed = json::object();
  const std::vector<std::string> epochs = list_repository(store).epochs;
  for (const std::string& name : epochs) {
    const Document epoch = Document::read(store, name);
    epoch.check_mac(keys);
    const std::string id = epoch.text("id");
    const Key& key = keys.epoch(raw_id(id, name));
    sealed[id] = sealed_epoch(epoch.number("number"), sealed_secrets(access.pair.open, keys, key));
  }
  access.document["sealed"] = sealed;
  put_document(store, key_name(access.id), access.document, keys);
  if (list_repository(store).epochs == epochs) return access.id;
  // Somebody has begun an epoch that does not know of it.
  store.remove(key_name(access.id));
  throw Error(ErrorCode::kConflict, "the repository has got new keys at this moment", "try again");
}

std::vector<AccessInfo> list_accesses(ObjectStore& store, const Keys& keys) {
  std::vector<AccessInfo> accesses;
  for (const std::string& name : list_repository(store).keys) {
    const Document document = Document::read(store, name);
    document.check_mac(keys);
    accesses.push_back({document.text("id"), document.text("kind"), document.text("label"),
                        document.text("created_at")});
  }
  return accesses;
}

void remove_access(ObjectStore& store, const Keys& keys, const std::string& id) {
  const std::vector<AccessInfo> accesses = list_accesses(store, keys);
  const bool known = std::any_of(accesses.begin(), accesses.end(),
                                 [&](const AccessInfo& access) { return access.id == id; });
  if (!known) throw Error(ErrorCode::kNotFound, fmt::format("there is no access {}", id));
  if (accesses.size() == 1) {
    throw Error(ErrorCode::kRefused, "the last access cannot be removed",
                "nobody could read the repository any more; add another one first");
  }
  store.remove(key_name(id));
}

void start_epoch(ObjectStore& store, Keys& keys, const Clock& clock) {
  const Listing listing = list_repository(store);
  const std::string id = hex_id();
  const Key key = Key::random();
  std::uint64_t newest = 0;
  for (const std::string& name : listing.epochs) {
    const Document epoch = Document::read(store, name);
    epoch.check_mac(keys);
    newest = std::max(newest, epoch.number("number"));
  }
  json sealed = json::object();
  for (const std::string& name : listing.keys) {
    const Document access = Document::read(store, name);
    access.check_mac(keys);
    const std::string public_key = access.binary(access.text("public"), 32);
    sealed[access.text("id")] = sealed_secrets(public_key, keys, key);
  }
  put_epoch(store, keys, id, newest + 1, sealed, clock);
  keys.add_epoch(raw_id(id, epoch_name(id)), newest + 1, key);
  // One that was added meanwhile does not know this epoch.
  const std::vector<std::string> now = list_repository(store).keys;
  if (!std::includes(listing.keys.begin(), listing.keys.end(), now.begin(), now.end())) {
    start_epoch(store, keys, clock);
  }
}

}  // namespace coppice::repo
