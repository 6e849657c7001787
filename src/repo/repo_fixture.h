// What the tests of a repository share.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "base/error.h"
#include "objects/memory_store.h"
#include "repo/blob_writer.h"
#include "repo/repository.h"

namespace coppice::repo {

class FakeClock final : public Clock {
 public:
  std::int64_t now_us() const override { return now; }
  void sleep(std::chrono::milliseconds duration) const override {
    now += std::chrono::microseconds(duration).count();
  }
  mutable std::int64_t now = std::int64_t{1'700'000'000} * 1'000'000;
};

inline const Secret kPassphrase{Secret::Kind::kPassphrase, "correct horse"};
inline const Secret kKeyFile{Secret::Kind::kKeyFile, "0123456789abcdef0123456789abcdef"};

// What a call throws.
inline Error thrown_by(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error(ErrorCode::kInternal, "nothing was thrown");
}

// A key file opens at once; a passphrase takes its time on purpose.
struct TestRepository {
  FakeClock clock;
  MemoryStore store{clock};
  Repository repository = Repository::create(store, kKeyFile, clock);
};

}  // namespace coppice::repo
