#include "recovery/repository_keys.h"

#include <fmt/core.h>

#include "base/clock.h"
#include "base/error.h"
#include "engine/emit.h"
#include "recovery/open_repository.h"
#include "repo/access.h"

namespace coppice::recovery {
namespace {

constexpr std::size_t kLeastDigits = 4;

OpenRepository open_encrypted(const RepositoryAddress& address, ResultSink& sink) {
  OpenRepository open = open_repository(address, sink);
  if (open.repository->encrypted()) return open;
  throw Error(
      ErrorCode::kRefused,
      fmt::format("the repository in {} is not encrypted: it has no keys", open.store->place()),
      "whether it is encrypted is decided when a repository is made");
}

repo::AccessInfo access_named(const std::vector<repo::AccessInfo>& accesses,
                              const std::string& id) {
  if (id.size() < kLeastDigits) {
    throw Error(ErrorCode::kUsage, fmt::format("\"{}\" is too short for the id of a key", id),
                fmt::format("write {} digits or more, as key list shows them", kLeastDigits));
  }
  const repo::AccessInfo* found = nullptr;
  for (const repo::AccessInfo& access : accesses) {
    if (!access.id.starts_with(id)) continue;
    if (found != nullptr) {
      throw Error(ErrorCode::kUsage, fmt::format("several keys begin with {}", id),
                  "write more digits of its id");
    }
    found = &access;
  }
  if (found != nullptr) return *found;
  throw Error(ErrorCode::kNotFound, fmt::format("there is no key {}", id), "see: coppice key list");
}

}  // namespace

void list_keys(const RepositoryAddress& address, ResultSink& sink) {
  const OpenRepository open = open_encrypted(address, sink);
  engine::RowsOut rows(sink, {{"id", "text"},
                              {"kind", "text"},
                              {"label", "text"},
                              {"created_at", "timestamp with time zone"}});
  for (const repo::AccessInfo& access : repo::list_accesses(*open.store, open.repository->keys())) {
    rows.row({access.id, access.kind, access.label, access.created_at});
  }
  rows.end();
}

std::string add_key(const RepositoryAddress& address, const NewKey& key, ResultSink& sink) {
  const OpenRepository open = open_encrypted(address, sink);
  const repo::Secret secret{key.kind == RepositoryAddress::Key::kKeyFile
                                ? repo::Secret::Kind::kKeyFile
                                : repo::Secret::Kind::kPassphrase,
                            key.secret};
  return repo::add_access(*open.store, open.repository->keys(), secret, key.label, SystemClock());
}

void remove_key(const RepositoryAddress& address, const std::string& id, ResultSink& sink) {
  const OpenRepository open = open_encrypted(address, sink);
  repo::Keys keys = open.repository->keys();
  const std::string access = access_named(repo::list_accesses(*open.store, keys), id).id;
  repo::remove_access(*open.store, keys, access, SystemClock());
}

void rotate_keys(const RepositoryAddress& address, ResultSink& sink) {
  const OpenRepository open = open_encrypted(address, sink);
  repo::Keys keys = open.repository->keys();
  repo::start_epoch(*open.store, keys, SystemClock());
}

}  // namespace coppice::recovery
