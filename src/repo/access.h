// Accesses: who may open a repository, and the epochs of its keys.
//
// Model    An access is a passphrase, or a file or secret of random bytes. Documents of accesses
//          and epochs carry a MAC under the id key: who can write to the store cannot add a reader.
// Threads  Safe from any thread; the store decides between writers.
// Errors   kRefused when no access opens with the secret; kIntegrity for a document that is none,
//          or whose MAC does not fit; kUsage for a key file that is too short.
// Source   docs/formats/repository.md, "Keys"
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "objects/object_store.h"
#include "repo/keys.h"
#include "repo/listing.h"

namespace coppice::repo {

// What opens an access.
struct Secret {
  enum class Kind { kPassphrase, kKeyFile };
  Kind kind = Kind::kPassphrase;
  std::string bytes;
};
inline constexpr std::size_t kLeastKeyFileBytes = 32;

struct AccessInfo {
  std::string id;
  std::string kind;  // "passphrase", "key-file"
  std::string label;
  std::string created_at;
};

// A new repository's secrets, with the first epoch and one access.
Keys create_access(ObjectStore& store, const Secret& secret, const std::string& label,
                   const Clock& clock);
Keys open_access(ObjectStore& store, const Secret& secret);
// With names that were listed, and documents from wherever `read` has them. `place` is for
// messages.
Keys open_access(const Listing& listing,
                 const std::function<std::string(const std::string& name)>& read,
                 const Secret& secret, const std::string& place);
// Whoever holds `keys` may add another. Gives its id.
std::string add_access(ObjectStore& store, const Keys& keys, const Secret& secret,
                       const std::string& label, const Clock& clock);
std::vector<AccessInfo> list_accesses(ObjectStore& store, const Keys& keys);
// kNotFound; kRefused for the last one. First an epoch begins that it does not get: who is killed
// in between can do it again. It goes on reading what is written in the epochs that it knows.
void remove_access(ObjectStore& store, Keys& keys, const std::string& id, const Clock& clock);

// A new epoch, sealed for the accesses that there are, but for `without`: who has not got it cannot
// read what is written from now on by who has listed it. `keys` get it too.
void start_epoch(ObjectStore& store, Keys& keys, const Clock& clock,
                 const std::string& without = "");

// The names of those documents of accesses and epochs that somebody wrote who holds `keys`.
std::vector<std::string> own_documents(ObjectStore& store, const Keys& keys);
// The documents of all accesses and epochs, by name, for a copy of the repository: who opens one
// opens the other. None without encryption.
std::map<std::string, std::string> key_documents(ObjectStore& store, const Keys& keys);

// Epochs that another repository with the same id key has, and this one lacks, sealed for the
// accesses of this one. It goes on writing in an epoch of its own: who was removed here may know
// the other's. False when it lacks none.
bool take_epochs(ObjectStore& store, const Keys& keys, ObjectStore& from, const Keys& from_keys,
                 const Clock& clock);

}  // namespace coppice::repo
