// RepositoryAddress: where a repository is, and what opens it.
//
// Threads  A plain value.
#pragma once

#include <cstdint>
#include <string>

namespace coppice {

struct RepositoryAddress {
  enum class Key { kNone, kPassphrase, kKeyFile };
  std::string url;  // a folder, or file:///a/folder
  Key key = Key::kNone;
  std::string secret;  // the passphrase, or the bytes of the key file
  bool no_encryption = false;
  std::uint64_t bytes_per_second = 0;  // 0: as many as can
};

}  // namespace coppice
