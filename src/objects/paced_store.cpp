#include "objects/paced_store.h"

#include <algorithm>
#include <thread>

namespace coppice {

using std::chrono::steady_clock;

bool PacedStore::put(const std::string& name, std::string_view bytes) {
  pass(bytes.size());
  ++puts_;
  bytes_put_ += bytes.size();
  return behind_->put(name, bytes);
}

std::string PacedStore::get(const std::string& name) {
  ++gets_;
  std::string bytes = behind_->get(name);
  bytes_got_ += bytes.size();
  pass(bytes.size());  // its size was not known before
  return bytes;
}

std::string PacedStore::get_part(const std::string& name, std::uint64_t offset_bytes,
                                 std::uint64_t size_bytes) {
  pass(size_bytes);
  ++gets_;
  bytes_got_ += size_bytes;
  return behind_->get_part(name, offset_bytes, size_bytes);
}

std::optional<ObjectInfo> PacedStore::stat(const std::string& name) {
  ++stats_;
  return behind_->stat(name);
}

void PacedStore::list(const std::string& prefix,
                      const std::function<void(const ObjectInfo&)>& visit) {
  ++lists_;
  behind_->list(prefix, visit);
}

bool PacedStore::remove(const std::string& name) {
  ++removes_;
  return behind_->remove(name);
}

StoreRequests PacedStore::requests() const {
  return {puts_, gets_, stats_, lists_, removes_, bytes_put_, bytes_got_};
}

void PacedStore::pass(std::uint64_t bytes) {
  if (bytes_per_second_ == 0) return;
  steady_clock::time_point begin;
  {
    const std::lock_guard lock(mutex_);
    begin = std::max(free_at_, steady_clock::now());
    free_at_ =
        begin + std::chrono::duration_cast<steady_clock::duration>(std::chrono::duration<double>(
                    static_cast<double>(bytes) / static_cast<double>(bytes_per_second_)));
  }
  std::this_thread::sleep_until(begin);
}

}  // namespace coppice
