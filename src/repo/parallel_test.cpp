#include "repo/parallel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

namespace coppice::repo {
namespace {

TEST(Parallel, DoesEveryPieceOnce) {
  std::mutex mutex;
  std::multiset<std::size_t> done;
  for_each_parallel(
      1'000, {}, [](std::size_t) { return 1; },
      [&](std::size_t i) {
        const std::lock_guard lock(mutex);
        done.insert(i);
      });
  EXPECT_EQ(done.size(), 1'000u);
  EXPECT_EQ(std::set(done.begin(), done.end()).size(), 1'000u);
  for_each_parallel(
      0, {}, [](std::size_t) { return 1; }, [](std::size_t) { FAIL(); });
}

TEST(Parallel, StaysWithinItsBytesAndDoesWhatIsLargerAlone) {
  std::mutex mutex;
  std::uint64_t now = 0, most = 0;
  const auto bytes = [](std::size_t i) { return i == 20 ? std::uint64_t{500} : 30; };
  for_each_parallel(50, {.threads = 6, .bytes = 100}, bytes, [&](std::size_t i) {
    {
      const std::lock_guard lock(mutex);
      now += bytes(i);
      most = std::max(most, now);
      EXPECT_TRUE(now <= 100 || now == 500) << now;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const std::lock_guard lock(mutex);
    now -= bytes(i);
  });
  EXPECT_EQ(most, 500u);
}

TEST(Parallel, TheFirstFailureEndsIt) {
  std::atomic<int> begun = 0;
  EXPECT_THROW(for_each_parallel(
                   10'000, {.threads = 4}, [](std::size_t) { return 1; },
                   [&](std::size_t i) {
                     ++begun;
                     if (i == 7) throw std::runtime_error("seven");
                     std::this_thread::sleep_for(std::chrono::microseconds(50));
                   }),
               std::runtime_error);
  EXPECT_LT(begun, 10'000);
}

}  // namespace
}  // namespace coppice::repo
