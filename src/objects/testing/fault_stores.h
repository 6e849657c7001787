// Stores that go wrong on purpose, one kind of fault each; and one that counts.
//
// Model    Each stands in front of another store. Calls are counted from 1 over all methods.
// Threads  As ObjectStore.
#pragma once

#include <atomic>
#include <functional>
#include <limits>
#include <string>

#include "objects/object_store.h"

namespace coppice {

// Passes everything on.
class StoreInFront : public ObjectStore {
 public:
  explicit StoreInFront(ObjectStore& behind) : behind_(behind) {}
  bool put(const std::string& name, std::string_view bytes) override;
  std::string get(const std::string& name) override;
  std::string get_part(const std::string& name, std::uint64_t offset_bytes,
                       std::uint64_t size_bytes) override;
  std::optional<ObjectInfo> stat(const std::string& name) override;
  void list(const std::string& prefix,
            const std::function<void(const ObjectInfo&)>& visit) override;
  bool remove(const std::string& name) override;
  std::string place() const override { return behind_.place(); }

 protected:
  // Called before each call with its number and what it is: "put", "get", "stat", "list", "remove".
  virtual void before(std::uint64_t, std::string_view, const std::string&) {}
  ObjectStore& behind_;

 private:
  std::atomic<std::uint64_t> calls_ = 0;
};

// Counts requests by kind.
class CountingStore final : public StoreInFront {
 public:
  using StoreInFront::StoreInFront;
  std::atomic<std::uint64_t> puts = 0, gets = 0, stats = 0, lists = 0, removes = 0;
  std::uint64_t total() const { return puts + gets + stats + lists + removes; }

 private:
  void before(std::uint64_t, std::string_view what, const std::string&) override;
};

// The n-th call fails, and with `and_after` all after it: the store has vanished.
class FailingStore final : public StoreInFront {
 public:
  FailingStore(ObjectStore& behind, std::uint64_t n, bool and_after = false)
      : StoreInFront(behind), n_(n), and_after_(and_after) {}
  bool reached() const { return reached_; }

 private:
  void before(std::uint64_t number, std::string_view what, const std::string& name) override;
  const std::uint64_t n_;
  const bool and_after_;
  std::atomic<bool> reached_ = false;
};

// The n-th put() keeps what it is given, and fails: its answer was lost.
class LostAnswerStore final : public StoreInFront {
 public:
  LostAnswerStore(ObjectStore& behind, std::uint64_t n) : StoreInFront(behind), n_(n) {}
  bool put(const std::string& name, std::string_view bytes) override;

 private:
  const std::uint64_t n_;
  std::atomic<std::uint64_t> puts_ = 0;
};

// The n-th put() keeps the first half only, and says nothing (kTorn), or keeps nothing and says
// that it did (kLost).
class LyingStore final : public StoreInFront {
 public:
  enum class Lie { kTorn, kLost };
  LyingStore(ObjectStore& behind, std::uint64_t n, Lie lie)
      : StoreInFront(behind), n_(n), lie_(lie) {}
  bool put(const std::string& name, std::string_view bytes) override;

 private:
  const std::uint64_t n_;
  const Lie lie_;
  std::atomic<std::uint64_t> puts_ = 0;
};

// put() fails as on a full disk once `room_bytes` are used.
class FullStore final : public StoreInFront {
 public:
  FullStore(ObjectStore& behind, std::uint64_t room_bytes)
      : StoreInFront(behind), room_bytes_(room_bytes) {}
  bool put(const std::string& name, std::string_view bytes) override;

 private:
  const std::uint64_t room_bytes_;
  std::atomic<std::uint64_t> used_bytes_ = 0;
};

}  // namespace coppice
