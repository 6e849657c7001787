#include "objects/memory_store.h"

#include <fmt/core.h>

#include "base/error.h"

namespace coppice {

const ObjectVersion* MemoryStore::current(const std::string& name) const {
  check_object_name(name);
  const auto object = objects_.find(name);
  if (object == objects_.end() || object->second.empty() || object->second.back().hidden) {
    return nullptr;
  }
  return &object->second.back();
}

const ObjectVersion& MemoryStore::found(const std::string& name) const {
  const ObjectVersion* const version = current(name);
  if (version != nullptr) return *version;
  throw Error(ErrorCode::kNotFound, fmt::format("there is no object {} in {}", name, place()));
}

bool MemoryStore::put(const std::string& name, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  if (current(name) != nullptr) return false;
  const std::int64_t now = clock_.now_us();
  objects_[name].push_back({std::string(bytes), now, now + retention_us_, false});
  return true;
}

std::string MemoryStore::get(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return found(name).bytes;
}

std::string MemoryStore::get_part(const std::string& name, std::uint64_t offset_bytes,
                                  std::uint64_t size_bytes) {
  const std::lock_guard lock(mutex_);
  const std::string& bytes = found(name).bytes;
  if (offset_bytes > bytes.size() || size_bytes > bytes.size() - offset_bytes) {
    throw Error(ErrorCode::kIntegrity,
                fmt::format("{} in {} has {} bytes, and should have {} at least", name, place(),
                            bytes.size(), offset_bytes + size_bytes));
  }
  return bytes.substr(offset_bytes, size_bytes);
}

std::optional<ObjectInfo> MemoryStore::stat(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const ObjectVersion* const version = current(name);
  if (version == nullptr) return std::nullopt;
  return ObjectInfo{name, version->bytes.size(), version->modified_us};
}

void MemoryStore::list(const std::string& prefix,
                       const std::function<void(const ObjectInfo&)>& visit) {
  std::vector<ObjectInfo> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, versions] : objects_) {
      if (!name.starts_with(prefix) || versions.empty() || versions.back().hidden) continue;
      all.push_back({name, versions.back().bytes.size(), versions.back().modified_us});
    }
  }
  for (const ObjectInfo& info : all) visit(info);
}

bool MemoryStore::remove(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (current(name) == nullptr) return false;
  objects_[name].back().hidden = true;
  return true;
}

std::vector<ObjectVersion> MemoryStore::versions(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto object = objects_.find(name);
  return object == objects_.end() ? std::vector<ObjectVersion>() : object->second;
}

void MemoryStore::remove_version(const std::string& name, std::size_t number) {
  const std::lock_guard lock(mutex_);
  const auto object = objects_.find(name);
  if (object == objects_.end() || number >= object->second.size()) {
    throw Error(ErrorCode::kNotFound, fmt::format("{} has no version {}", name, number));
  }
  const auto version = object->second.begin() + static_cast<std::ptrdiff_t>(number);
  if (version->retained_until_us > clock_.now_us()) {
    throw Error(ErrorCode::kRefused, fmt::format("version {} of {} is retained", number, name));
  }
  object->second.erase(version);
}

void MemoryStore::overwrite(const std::string& name, std::string bytes) {
  const std::lock_guard lock(mutex_);
  found(name);
  objects_[name].back().bytes = std::move(bytes);
}

}  // namespace coppice
