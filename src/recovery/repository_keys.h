// Keys of a repository, as people handle them: who may open it.
//
// Model    Each key, a passphrase or a key file, opens all that there is; it is added by whoever
//          holds another, and no data is written again. A key that is removed opens nothing that
//          is written from then on, as a new epoch is begun; it does not forget what it could read.
// Threads  One thread.
// Errors   kRefused for a repository that is not encrypted, and for its last key; kNotFound.
// Source   docs/formats/repository.md, "Keys"
#pragma once

#include <string>

#include "recovery/recovery.h"

namespace coppice::recovery {

// One row a key: (id, kind, label, created_at).
void list_keys(const RepositoryAddress& address, ResultSink& sink);
// Gives its id.
std::string add_key(const RepositoryAddress& address, const NewKey& key, ResultSink& sink);
// `id`: its first digits do.
void remove_key(const RepositoryAddress& address, const std::string& id, ResultSink& sink);
// What is written from now on has a new key.
void rotate_keys(const RepositoryAddress& address, ResultSink& sink);

}  // namespace coppice::recovery
