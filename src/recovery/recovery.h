// Recovery: backups of homes, and homes made of backups, as the command line sees them.
//
// Model    A repository is opened by its address and one key. Only create() needs a living home,
//          and only restore() makes one; all else works on the repository alone.
// Threads  One thread at a time; verbs use threads of their own.
// Errors   Error, typed by its code; those of the repository, the store and the engine.
// Source   docs/formats/backup.md, docs/formats/repository.md
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "engine/result_sink.h"

namespace coppice {

struct RepositoryAddress {
  enum class Key { kNone, kPassphrase, kKeyFile };
  std::string url;  // a folder, or file:///a/folder
  Key key = Key::kNone;
  std::string secret;  // the passphrase, or the bytes of the key file
  bool no_encryption = false;
};

struct BackupRequest {
  RepositoryAddress repository;
  std::vector<std::string> tags;
  bool full = false;  // nothing is taken from earlier backups
};
struct BackupReport {
  std::string id;
  std::string root;
  std::uint64_t bytes_written = 0;
  std::uint64_t bytes_total = 0;
  std::uint64_t rows_read = 0;
  std::uint64_t media_added = 0;
  double seconds = 0;
  std::string parent;  // the backup that it took from; empty: none
  std::vector<std::string> damaged;
};

struct RestoreRequest {
  RepositoryAddress repository;
  std::optional<std::string> backup;  // an id, or its first digits; none: the latest
  std::optional<std::string> at;      // a time: the newest backup that is not later
  bool dry_run = false;
};
struct RestoreReport {
  std::string backup;
  std::string moment;  // the point in time that was reached
  std::string root_expected, root_restored;
  bool equal = false;                    // the history roots too
  std::vector<std::string> differences;  // "films.film.title"
  std::uint64_t rows = 0, media_objects = 0, bytes = 0;
  double seconds = 0;
};

class Recovery {
 public:
  virtual ~Recovery() = default;
  virtual BackupReport create(const Config& config, const BackupRequest& request,
                              ResultSink& sink) = 0;
  // One row a backup, the oldest first.
  virtual void list(const RepositoryAddress& repository, ResultSink& sink) = 0;
  // (name, value) rows.
  virtual void show(const RepositoryAddress& repository, const std::string& backup,
                    ResultSink& sink) = 0;
  // config: of the home that is to be; its folder is empty or not there.
  virtual RestoreReport restore(const ConfigRequest& config, const RestoreRequest& request,
                                ResultSink& sink) = 0;
};

std::unique_ptr<Recovery> make_recovery();

}  // namespace coppice
