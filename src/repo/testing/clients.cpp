#include "repo/testing/clients.h"

#include <fmt/core.h>

#include <atomic>
#include <utility>

namespace coppice::repo {
namespace {

struct Killed {};

}  // namespace

class Client::Store final : public ObjectStore {
 public:
  explicit Store(Client& client) : client_(client) {}

  bool put(const std::string& name, std::string_view bytes) override {
    const std::uint64_t number = before("put", name);
    bool kept = true;
    if (client_.faults_.lies == 0 || number < client_.faults_.lies || lied_ ||
        !may_be_lied_about(name)) {
      kept = behind().put(name, bytes);
    } else {
      lied_ = true;
      client_.lied_about_ = name;
      if (client_.faults_.torn) behind().put(name, bytes.substr(0, bytes.size() / 2));
    }
    after(number, "put", name);
    return kept;
  }
  std::string get(const std::string& name) override {
    const std::uint64_t number = before("get", name);
    std::string bytes = behind().get(name);
    after(number, "get", name);
    return bytes;
  }
  std::string get_part(const std::string& name, std::uint64_t offset_bytes,
                       std::uint64_t size_bytes) override {
    const std::uint64_t number = before("get", name);
    std::string bytes = behind().get_part(name, offset_bytes, size_bytes);
    after(number, "get", name);
    return bytes;
  }
  std::optional<ObjectInfo> stat(const std::string& name) override {
    const std::uint64_t number = before("stat", name);
    const std::optional<ObjectInfo> info = behind().stat(name);
    after(number, "stat", name);
    return info;
  }
  void list(const std::string& prefix,
            const std::function<void(const ObjectInfo&)>& visit) override {
    const std::uint64_t number = before("list", prefix);
    behind().list(prefix, visit);
    after(number, "list", prefix);
  }
  bool remove(const std::string& name) override {
    const std::uint64_t number = before("remove", name);
    const bool removed = behind().remove(name);
    after(number, "remove", name);
    return removed;
  }
  std::string place() const override { return client_.behind_.place(); }

 private:
  ObjectStore& behind() { return client_.behind_; }

  static bool may_be_lied_about(const std::string& name) {
    return name.starts_with("packs/") || name.starts_with("meta/index/") ||
           name.starts_with("meta/backups/");
  }

  [[noreturn]] void fail(std::string_view what, const std::string& name) {
    client_.saw_fault_ = true;
    throw Error(ErrorCode::kUnavailable, fmt::format("cannot {} {}: made to fail", what, name));
  }

  bool at_once(std::string_view what, const std::string& name) const {
    return what == "get" && (name.starts_with("meta/index/") ||
                             (client_.packs_at_once_ && name.starts_with("packs/")));
  }

  // The number of the call; 0 for one of several at once.
  std::uint64_t before(std::string_view what, const std::string& name) {
    if (gone_) fail(what, name);
    if (at_once(what, name)) {
      if (client_.killed_) throw Killed();
      return 0;
    }
    client_.last_call_ = fmt::format("{} {}", what, name);
    client_.wait();
    const std::uint64_t number = ++client_.calls_;
    const ClientFaults& faults = client_.faults_;
    if (faults.fails == 0 || number < faults.fails) return number;
    gone_ = faults.and_after;
    if (number == faults.fails || gone_) fail(what, name);
    return number;
  }
  void after(std::uint64_t number, std::string_view what, const std::string& name) {
    if (number == 0) return;
    if (number == client_.faults_.no_answer) fail(what, name);
    // What others do behind a listing, and before what it named is read.
    if (what == "list") client_.wait();
  }

  Client& client_;
  bool lied_ = false;
  std::atomic<bool> gone_ = false;
};

Client::Client(ObjectStore& store, ClientFaults faults, Work work)
    : behind_(store), faults_(faults), thread_([this, work = std::move(work)] { run(work); }) {}

Client::~Client() {
  kill();
  thread_.join();
}

void Client::run(const Work& work) {
  turn_.acquire();
  try {
    if (!killed_) {
      Store store(*this);
      work(store, *this);
    }
  } catch (const Error& error) {
    error_ = error;
  } catch (const Killed&) {
    // As if it had never gone on.
  }
  ended_ = true;
  back_.release();
}

void Client::wait() {
  if (killed_) throw Killed();
  if (calls_left_ == 0) {
    back_.release();
    turn_.acquire();
    if (killed_) throw Killed();
  }
  if (calls_left_ > 0) --calls_left_;
}

void Client::take_turn(unsigned calls) {
  if (ended_) return;
  calls_left_ = calls;
  turn_.release();
  back_.acquire();
}

void Client::kill() {
  if (ended_) return;
  killed_ = true;
  turn_.release();
  back_.acquire();
}

}  // namespace coppice::repo
