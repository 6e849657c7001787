// MemoryStore: an ObjectStore in memory that keeps versions and may be write-once, as a bucket with
// versioning and object lock is. For tests.
//
// Model    remove() hides an object: its bytes stay as an older version until remove_version(),
//          which is refused while the version is retained. A name that was removed is free again.
// Threads  As ObjectStore.
#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "objects/object_store.h"

namespace coppice {

struct ObjectVersion {
  std::string bytes;
  std::int64_t modified_us = 0;
  std::int64_t retained_until_us = 0;
  bool hidden = false;  // removed since
};

class MemoryStore final : public ObjectStore {
 public:
  // `clock` is borrowed. Each object is retained for `retention_us` after it was written.
  explicit MemoryStore(const Clock& clock, std::int64_t retention_us = 0)
      : clock_(clock), retention_us_(retention_us) {}

  bool put(const std::string& name, std::string_view bytes) override;
  std::string get(const std::string& name) override;
  std::string get_part(const std::string& name, std::uint64_t offset_bytes,
                       std::uint64_t size_bytes) override;
  std::optional<ObjectInfo> stat(const std::string& name) override;
  void list(const std::string& prefix,
            const std::function<void(const ObjectInfo&)>& visit) override;
  bool remove(const std::string& name) override;
  std::string place() const override { return "memory"; }

  // Of an object, the oldest first.
  std::vector<ObjectVersion> versions(const std::string& name) const;
  // Throws kRefused while it is retained, kNotFound when there is no such version.
  void remove_version(const std::string& name, std::size_t number);
  // What is damaged on purpose: bytes of the object as it is now.
  void overwrite(const std::string& name, std::string bytes);

 private:
  const ObjectVersion* current(const std::string& name) const;
  const ObjectVersion& found(const std::string& name) const;

  const Clock& clock_;
  const std::int64_t retention_us_;
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<ObjectVersion>> objects_;
};

}  // namespace coppice
