#include "repo/access.h"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>
#include <set>

#include "base/base64.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "base/hex.h"
#include "repo/access_document.h"

namespace coppice::repo {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMostMemoryBytes = std::uint64_t{1} << 30;
constexpr std::uint64_t kMostPasses = 16;
constexpr std::size_t kKeyBytes = 32;

std::string hex_id() { return to_hex(random_bytes(16)); }

std::string utc(const Clock& clock) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     fmt::gmtime(static_cast<std::time_t>(clock.now_us() / 1'000'000)));
}

std::string kind_name(Secret::Kind kind) {
  return kind == Secret::Kind::kPassphrase ? "passphrase" : "key-file";
}

std::string sealed_key(const std::string& public_key, const Key& epoch) {
  return to_base64(seal_for(public_key, epoch.view()));
}

Key wrapping_key(const Secret& secret, const AccessDocument& document) {
  const std::string salt = document.kdf_binary("salt", kArgon2SaltBytes);
  if (secret.kind == Secret::Kind::kKeyFile) return hkdf_sha256(secret.bytes, salt, "key file");
  const Argon2 how{document.kdf_number("memory_bytes"), document.kdf_number("passes"), salt};
  if (document.kdf_text("name") != "argon2id" || how.memory_bytes > kMostMemoryBytes ||
      how.memory_bytes < 8192 || how.passes > kMostPasses || how.passes == 0) {
    document.fail("its kdf is none that this program accepts");
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

NewAccess make_access(const Keys& keys, const Secret& secret, const std::string& label,
                      const Clock& clock) {
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
  std::string secrets(access.pair.secret.view());
  secrets += keys.id_key().view();
  Cipher(wrapping).seal(nonce, secrets, authenticated_with(access.id, kind), wrapped);
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

// What only the secret opens: so nobody else can put another id key in its place.
struct Unwrapped {
  KeyPair pair;
  Key id_key;
};

// nullopt when the secret is not that of this access.
std::optional<Unwrapped> unwrap(const AccessDocument& document, const Secret& secret) {
  const std::string wrapped = document.binary("private");
  const std::string kind = document.text("kind");
  if (kind != kind_name(secret.kind) || wrapped.size() < kNonceBytes) return std::nullopt;
  const std::string_view all = wrapped;
  const auto plain = Cipher(wrapping_key(secret, document))
                         .open(all.substr(0, kNonceBytes), all.substr(kNonceBytes),
                               authenticated_with(document.text("id"), kind));
  if (!plain || plain->size() != 2 * kKeyBytes) return std::nullopt;
  const std::string_view secrets = *plain;
  return Unwrapped{{document.binary("public", kKeyBytes), Key(secrets.substr(0, kKeyBytes))},
                   Key(secrets.substr(kKeyBytes))};
}

Key open_key(const KeyPair& pair, const std::string& sealed, const AccessDocument& document) {
  const auto key = open_sealed(pair, sealed);
  if (!key || key->size() != kKeyBytes) document.fail("what is sealed in it cannot be opened");
  return Key(*key);
}

std::string raw_id(const std::string& hex) {
  const auto raw = from_hex(hex);
  if (raw && raw->size() == kEpochBytes) return *raw;
  throw Error(ErrorCode::kIntegrity, fmt::format("\"{}\" is no id of an epoch", hex));
}

std::string key_name(const std::string& id) { return fmt::format("{}/{}", kKeyFolder, id); }
std::string epoch_name(const std::string& id) { return fmt::format("{}/{}", kEpochFolder, id); }

// Every epoch: those that were there before the access was made are sealed in its document, the
// others in their own.
Keys keys_of(const Listing& listing, const std::function<std::string(const std::string&)>& read,
             const AccessDocument& access, const Unwrapped& unwrapped) {
  Keys keys(unwrapped.id_key);
  access.check_mac(keys);
  std::set<std::string> known;
  for (const SealedEpoch& epoch : access.sealed_epochs()) {
    keys.add_epoch(raw_id(epoch.id), epoch.number, open_key(unwrapped.pair, epoch.key, access));
    known.insert(epoch_name(epoch.id));
  }
  for (const std::string& name : listing.epochs) {
    if (known.contains(name)) continue;
    const AccessDocument epoch = AccessDocument::parse(name, read(name));
    epoch.check_mac(keys);
    const std::string id = epoch.text("id");
    if (name != epoch_name(id)) epoch.fail("it is another's document");
    const std::optional<std::string> sealed = epoch.sealed_for(access.text("id"));
    if (!sealed) continue;  // it was made while this access was being added
    const Key key = open_key(unwrapped.pair, *sealed, epoch);
    keys.add_epoch(raw_id(id), epoch.number("number"), key);
  }
  if (keys.newest_epoch().empty()) access.fail("no epoch is sealed for this access");
  return keys;
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

// By the names of their documents.
std::map<std::string, std::uint64_t> epoch_numbers(ObjectStore& store, const Listing& listing,
                                                   const Keys& keys) {
  std::map<std::string, std::uint64_t> numbers;
  for (const std::string& name : listing.epochs) {
    const AccessDocument epoch = AccessDocument::read(store, name);
    epoch.check_mac(keys);
    numbers[name] = epoch.number("number");
  }
  return numbers;
}

json sealed_for_all(ObjectStore& store, const Listing& listing, const Keys& keys, const Key& key) {
  json sealed = json::object();
  for (const std::string& name : listing.keys) {
    const AccessDocument access = AccessDocument::read(store, name);
    access.check_mac(keys);
    sealed[access.text("id")] = sealed_key(access.binary("public", kKeyBytes), key);
  }
  return sealed;
}

}  // namespace

Keys create_access(ObjectStore& store, const Secret& secret, const std::string& label,
                   const Clock& clock) {
  Keys keys(Key::random());
  const std::string epoch = hex_id();
  const Key epoch_key = Key::random();
  keys.add_epoch(raw_id(epoch), 1, epoch_key);
  NewAccess access = make_access(keys, secret, label, clock);
  const std::string sealed = sealed_key(access.pair.open, epoch_key);
  access.document["sealed"] = {{epoch, {{"number", 1}, {"key", sealed}}}};
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
    const AccessDocument document = AccessDocument::parse(name, read(name));
    if (name != key_name(document.text("id"))) document.fail("it is another's document");
    const std::optional<Unwrapped> unwrapped = unwrap(document, secret);
    if (unwrapped) return keys_of(listing, read, document, *unwrapped);
  }
  throw Error(
      ErrorCode::kRefused,
      fmt::format("the {} opens no access of the repository in {}",
                  secret.kind == Secret::Kind::kPassphrase ? "passphrase" : "key file", place),
      fmt::format("give the key that the repository was made with, or one that was added since; if "
                  "it is the right one, an access is damaged: {}",
                  fmt::join(listing.keys, ", ")));
}

std::string add_access(ObjectStore& store, const Keys& keys, const Secret& secret,
                       const std::string& label, const Clock& clock) {
  NewAccess access = make_access(keys, secret, label, clock);
  json sealed = json::object();
  const std::vector<std::string> epochs = list_repository(store).epochs;
  for (const std::string& name : epochs) {
    const AccessDocument epoch = AccessDocument::read(store, name);
    epoch.check_mac(keys);
    const std::string id = epoch.text("id");
    const std::string key = sealed_key(access.pair.open, keys.epoch(raw_id(id)));
    sealed[id] = {{"number", epoch.number("number")}, {"key", key}};
  }
  access.document["sealed"] = sealed;
  put_document(store, key_name(access.id), access.document, keys);
  reach_crash_point("key.access_stored");
  if (list_repository(store).epochs == epochs) return access.id;
  // Somebody has begun an epoch that does not know of it.
  store.remove(key_name(access.id));
  throw Error(ErrorCode::kConflict, "the repository has got new keys at this moment", "try again");
}

std::vector<AccessInfo> list_accesses(ObjectStore& store, const Keys& keys) {
  std::vector<AccessInfo> accesses;
  for (const std::string& name : list_repository(store).keys) {
    const AccessDocument document = AccessDocument::read(store, name);
    document.check_mac(keys);
    accesses.push_back({document.text("id"), document.text("kind"), document.text("label"),
                        document.text("created_at")});
  }
  return accesses;
}

void remove_access(ObjectStore& store, Keys& keys, const std::string& id, const Clock& clock) {
  const std::vector<AccessInfo> accesses = list_accesses(store, keys);
  const bool known = std::any_of(accesses.begin(), accesses.end(),
                                 [&](const AccessInfo& access) { return access.id == id; });
  if (!known) throw Error(ErrorCode::kNotFound, fmt::format("there is no access {}", id));
  if (accesses.size() == 1) {
    throw Error(ErrorCode::kRefused, "the last access cannot be removed",
                "nobody could read the repository any more; add another one first");
  }
  start_epoch(store, keys, clock, id);
  reach_crash_point("key.before_removal");
  store.remove(key_name(id));
}

void start_epoch(ObjectStore& store, Keys& keys, const Clock& clock, const std::string& without) {
  Listing listing = list_repository(store);
  const std::vector<std::string> accesses = listing.keys;
  std::erase(listing.keys, key_name(without));
  const std::string id = hex_id();
  const Key key = Key::random();
  std::uint64_t newest = 0;
  for (const auto& [name, number] : epoch_numbers(store, listing, keys)) {
    newest = std::max(newest, number);
  }
  put_epoch(store, keys, id, newest + 1, sealed_for_all(store, listing, keys, key), clock);
  reach_crash_point("key.epoch_stored");
  keys.add_epoch(raw_id(id), newest + 1, key);
  // One that was added meanwhile does not know this epoch.
  const std::vector<std::string> now = list_repository(store).keys;
  if (!std::includes(accesses.begin(), accesses.end(), now.begin(), now.end())) {
    start_epoch(store, keys, clock, without);
  }
}

std::vector<std::string> own_documents(ObjectStore& store, const Keys& keys) {
  std::vector<std::string> own;
  if (!keys.encrypted()) return own;
  const Listing listing = list_repository(store);
  for (const std::vector<std::string>* const names : {&listing.keys, &listing.epochs}) {
    for (const std::string& name : *names) {
      try {
        AccessDocument::read(store, name).check_mac(keys);
        own.push_back(name);
      } catch (const Error& error) {
        if (error.code() != ErrorCode::kIntegrity && error.code() != ErrorCode::kNotFound) throw;
      }
    }
  }
  return own;
}

std::map<std::string, std::string> key_documents(ObjectStore& store, const Keys& keys) {
  std::map<std::string, std::string> documents;
  if (!keys.encrypted()) return documents;
  const Listing listing = list_repository(store);
  for (const std::vector<std::string>* const names : {&listing.keys, &listing.epochs}) {
    for (const std::string& name : *names) {
      const std::string text = store.get(name);
      AccessDocument::parse(name, text).check_mac(keys);
      documents[name] = text;
    }
  }
  return documents;
}

bool take_epochs(ObjectStore& store, const Keys& keys, ObjectStore& from, const Keys& from_keys,
                 const Clock& clock) {
  if (!keys.encrypted()) return false;
  const Listing listing = list_repository(store);
  std::map<std::string, std::uint64_t> lacking =
      epoch_numbers(from, list_repository(from), from_keys);
  for (const std::string& name : listing.epochs) lacking.erase(name);
  const auto id_of = [](const std::string& name) { return name.substr(name.rfind('/') + 1); };
  std::erase_if(lacking, [&](const auto& epoch) {
    return !from_keys.knows_epoch(raw_id(id_of(epoch.first)));
  });
  if (lacking.empty()) return false;
  std::uint64_t newest_here = 0, newest = 0;
  for (const auto& [name, number] : epoch_numbers(store, listing, keys)) {
    newest_here = std::max(newest_here, number);
  }
  for (const auto& [name, number] : lacking) newest = std::max(newest, number);
  // First: so that none of the others is ever the newest.
  if (newest >= newest_here) {
    put_epoch(store, keys, hex_id(), newest + 1,
              sealed_for_all(store, listing, keys, Key::random()), clock);
  }
  for (const auto& [name, number] : lacking) {
    const Key& key = from_keys.epoch(raw_id(id_of(name)));
    put_epoch(store, keys, id_of(name), number, sealed_for_all(store, listing, keys, key), clock);
  }
  return true;
}

}  // namespace coppice::repo
