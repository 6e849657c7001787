#include "repo/testing/seeded_random.h"

#include <sodium.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstring>
#include <mutex>
#include <optional>
#include <random>

#include "base/error.h"

namespace coppice::repo {
namespace {

std::mutex& mutex() {
  static std::mutex one;
  return one;
}

std::optional<std::mt19937_64>& generator() {
  static std::optional<std::mt19937_64> one;
  return one;
}

bool draw(char* bytes, std::size_t size) {
  const std::lock_guard lock(mutex());
  if (!generator()) return false;
  while (size > 0) {
    const std::uint64_t number = (*generator())();
    const std::size_t part = size < sizeof number ? size : sizeof number;
    std::memcpy(bytes, &number, part);
    bytes += part;
    size -= part;
  }
  return true;
}

}  // namespace

SeededRandom::SeededRandom(std::uint64_t seed) {
  // It draws something once, which is no seed's.
  if (::sodium_init() < 0) throw Error(ErrorCode::kInternal, "libsodium does not start");
  const std::lock_guard lock(mutex());
  generator().emplace(seed);
}

SeededRandom::~SeededRandom() {
  const std::lock_guard lock(mutex());
  generator().reset();
}

}  // namespace coppice::repo

// In front of the C library's.
extern "C" ssize_t getrandom(void* buffer, std::size_t size, unsigned flags) {
  if (coppice::repo::draw(static_cast<char*>(buffer), size)) return static_cast<ssize_t>(size);
  return ::syscall(SYS_getrandom, buffer, size, flags);
}
