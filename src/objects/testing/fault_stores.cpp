#include "objects/testing/fault_stores.h"

#include <fmt/core.h>

#include "base/error.h"

namespace coppice {

bool StoreInFront::put(const std::string& name, std::string_view bytes) {
  before(++calls_, "put", name);
  return behind_.put(name, bytes);
}

std::string StoreInFront::get(const std::string& name) {
  before(++calls_, "get", name);
  return behind_.get(name);
}

std::string StoreInFront::get_part(const std::string& name, std::uint64_t offset_bytes,
                                   std::uint64_t size_bytes) {
  before(++calls_, "get", name);
  return behind_.get_part(name, offset_bytes, size_bytes);
}

std::optional<ObjectInfo> StoreInFront::stat(const std::string& name) {
  before(++calls_, "stat", name);
  return behind_.stat(name);
}

void StoreInFront::list(const std::string& prefix,
                        const std::function<void(const ObjectInfo&)>& visit) {
  before(++calls_, "list", prefix);
  behind_.list(prefix, visit);
}

bool StoreInFront::remove(const std::string& name) {
  before(++calls_, "remove", name);
  return behind_.remove(name);
}

void CountingStore::before(std::uint64_t, std::string_view what, const std::string&) {
  std::atomic<std::uint64_t>& count = what == "put"    ? puts
                                      : what == "get"  ? gets
                                      : what == "stat" ? stats
                                      : what == "list" ? lists
                                                       : removes;
  ++count;
}

void FailingStore::before(std::uint64_t number, std::string_view what, const std::string& name) {
  if (number != n_ && !(and_after_ && number > n_)) return;
  reached_ = true;
  throw Error(ErrorCode::kUnavailable,
              fmt::format("cannot {} {} in {}: made to fail", what, name, behind_.place()));
}

bool LostAnswerStore::put(const std::string& name, std::string_view bytes) {
  const bool kept = StoreInFront::put(name, bytes);
  if (++puts_ != n_) return kept;
  throw Error(ErrorCode::kUnavailable,
              fmt::format("no answer about {} from {}", name, behind_.place()));
}

bool LyingStore::put(const std::string& name, std::string_view bytes) {
  if (++puts_ != n_) return StoreInFront::put(name, bytes);
  if (lie_ == Lie::kLost) return true;
  return StoreInFront::put(name, bytes.substr(0, bytes.size() / 2));
}

bool FullStore::put(const std::string& name, std::string_view bytes) {
  if (used_bytes_ + bytes.size() > room_bytes_) {
    throw Error(ErrorCode::kDiskFull, fmt::format("cannot write {} in {}: No space left on device",
                                                  name, behind_.place()));
  }
  used_bytes_ += bytes.size();
  return StoreInFront::put(name, bytes);
}

}  // namespace coppice
