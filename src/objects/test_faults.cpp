#include "objects/test_faults.h"

#include <fmt/core.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <utility>

#include "base/crash_point.h"
#include "base/error.h"

namespace coppice {
namespace {

struct Fault {
  enum class Kind { kFail, kVanish, kLost, kTorn, kDropped };
  Kind kind = Kind::kFail;
  std::uint64_t n = 0;
  std::string file;
};

Fault parse_fault(const std::string& text) {
  constexpr std::pair<std::string_view, Fault::Kind> kKinds[] = {
      {"fail", Fault::Kind::kFail},       {"vanish", Fault::Kind::kVanish},
      {"lost", Fault::Kind::kLost},       {"torn", Fault::Kind::kTorn},
      {"dropped", Fault::Kind::kDropped},
  };
  const std::size_t colon = text.find(':');
  const std::size_t second = text.find(':', colon == std::string::npos ? colon : colon + 1);
  if (colon != std::string::npos) {
    for (const auto& [name, kind] : kKinds) {
      if (text.substr(0, colon) != name) continue;
      const std::uint64_t n = std::strtoull(text.c_str() + colon + 1, nullptr, 10);
      if (n > 0) return {kind, n, second == std::string::npos ? "" : text.substr(second + 1)};
    }
  }
  throw Error(ErrorCode::kUsage, fmt::format("COPPICE_STORE_FAULT is \"{}\"", text),
              "write KIND:N or KIND:N:FILE; KIND is fail, vanish, lost, torn or dropped");
}

class FaultyStore final : public ObjectStore {
 public:
  FaultyStore(std::unique_ptr<ObjectStore> behind, Fault fault)
      : behind_(std::move(behind)), fault_(std::move(fault)) {}

  bool put(const std::string& name, std::string_view bytes) override {
    before("put", name);
    const bool now = is_now(Fault::Kind::kTorn) || is_now(Fault::Kind::kDropped);
    if (now && fault_.kind == Fault::Kind::kDropped) return true;
    if (now) return behind_->put(name, bytes.substr(0, bytes.size() / 2));
    const bool stored = behind_->put(name, bytes);
    lose_answer("put", name);
    return stored;
  }
  std::string get(const std::string& name) override {
    before("get", name);
    return behind_->get(name);
  }
  std::string get_part(const std::string& name, std::uint64_t offset_bytes,
                       std::uint64_t size_bytes) override {
    before("get", name);
    return behind_->get_part(name, offset_bytes, size_bytes);
  }
  std::optional<ObjectInfo> stat(const std::string& name) override {
    before("stat", name);
    return behind_->stat(name);
  }
  void list(const std::string& prefix,
            const std::function<void(const ObjectInfo&)>& visit) override {
    before("list", prefix);
    behind_->list(prefix, visit);
  }
  bool remove(const std::string& name) override {
    before("remove", name);
    const bool removed = behind_->remove(name);
    lose_answer("remove", name);
    return removed;
  }
  std::string place() const override { return behind_->place(); }

 private:
  // Counts a request of that kind of fault; true for the one that goes wrong.
  bool is_now(Fault::Kind kind) {
    static std::atomic<std::uint64_t> requests = 0;  // of the process
    if (fault_.kind != kind) return false;
    const std::uint64_t number = ++requests;
    if (number == fault_.n && !fault_.file.empty()) std::ofstream(fault_.file) << number << '\n';
    return number == fault_.n || (kind == Fault::Kind::kVanish && number > fault_.n);
  }
  void before(std::string_view what, const std::string& name) {
    if (is_now(Fault::Kind::kFail) || is_now(Fault::Kind::kVanish)) fail(what, name);
  }
  void lose_answer(std::string_view what, const std::string& name) {
    if (is_now(Fault::Kind::kLost)) fail(what, name);
  }
  [[noreturn]] void fail(std::string_view what, const std::string& name) const {
    throw Error(ErrorCode::kUnavailable,
                fmt::format("cannot {} {} in {}: a test makes it fail", what,
                            name.empty() ? "everything" : name, place()));
  }

  const std::unique_ptr<ObjectStore> behind_;
  const Fault fault_;
};

}  // namespace

std::unique_ptr<ObjectStore> with_test_faults(std::unique_ptr<ObjectStore> store) {
  const char* const text = std::getenv("COPPICE_STORE_FAULT");
  if (text == nullptr || !test_hooks_enabled()) return store;
  return std::make_unique<FaultyStore>(std::move(store), parse_fault(text));
}

}  // namespace coppice
