// Place: a fresh home for one .test file, on a database of its own.
//
// Model    Places makes them: databases on one server (started here, or named by the user), or
//          homes with a private server each, copied from one that was initialised once.
// Threads  One thread: the working directory of the process is the place's folder.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/files.h"
#include "config/config.h"
#include "engine/engine.h"

namespace coppice::sql_test {

class Place {
 public:
  virtual ~Place() = default;

  const std::filesystem::path& home() const { return home_; }
  // Where statements find their files.
  const std::filesystem::path& folder() const { return folder_; }
  virtual std::string owner_conninfo() = 0;
  // Null for a plain PostgreSQL database.
  virtual Engine* engine() = 0;
  // Closes the engine and opens it again; a private server is stopped in between.
  virtual void restart() = 0;

 protected:
  std::filesystem::path home_;
  std::filesystem::path folder_;
};

enum class PlaceKind { kDatabase, kPrivate, kPlain };

class Places {
 public:
  virtual ~Places() = default;
  virtual std::unique_ptr<Place> make() = 0;
};

// Under `scratch`. `server` is the conninfo of an existing server; without one, one is started.
std::unique_ptr<Places> make_places(PlaceKind kind, const std::filesystem::path& scratch,
                                    const std::optional<std::string>& server);

}  // namespace coppice::sql_test
