// PacedStore: a store in front of another that counts what is asked of it, and keeps what passes
// through it below a rate.
//
// Model    Each transfer begins when those before it have had the time that the rate gives them, so
//          that the mean over more than one object holds; one object goes as fast as it can.
// Units    Rates are bytes a second, 0 is none.
// Threads  As ObjectStore: transfers of all threads share the rate.
// Errors   Those of the store behind.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include "objects/object_store.h"

namespace coppice {

// What was asked of a store.
struct StoreRequests {
  std::uint64_t puts = 0, gets = 0, stats = 0, lists = 0, removes = 0;
  std::uint64_t bytes_put = 0, bytes_got = 0;
  std::uint64_t total() const { return puts + gets + stats + lists + removes; }
};

class PacedStore final : public ObjectStore {
 public:
  PacedStore(std::unique_ptr<ObjectStore> behind, std::uint64_t bytes_per_second)
      : behind_(std::move(behind)), bytes_per_second_(bytes_per_second) {}

  bool put(const std::string& name, std::string_view bytes) override;
  std::string get(const std::string& name) override;
  std::string get_part(const std::string& name, std::uint64_t offset_bytes,
                       std::uint64_t size_bytes) override;
  std::optional<ObjectInfo> stat(const std::string& name) override;
  void list(const std::string& prefix,
            const std::function<void(const ObjectInfo&)>& visit) override;
  bool remove(const std::string& name) override;
  std::string place() const override { return behind_->place(); }

  StoreRequests requests() const;

 private:
  // Waits for those before it; the next ones wait for `bytes`.
  void pass(std::uint64_t bytes);

  std::unique_ptr<ObjectStore> behind_;
  const std::uint64_t bytes_per_second_;
  std::atomic<std::uint64_t> puts_ = 0, gets_ = 0, stats_ = 0, lists_ = 0, removes_ = 0;
  std::atomic<std::uint64_t> bytes_put_ = 0, bytes_got_ = 0;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point free_at_;
};

}  // namespace coppice
