// Clock and Random: the only sources of time and randomness, so that tests can fake both.
//
// Units    Wall time is microseconds since 1970-01-01 00:00 UTC.
// Threads  Implementations are safe from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace coppice {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t now_us() const = 0;
  virtual void sleep(std::chrono::milliseconds duration) const = 0;
};

class SystemClock final : public Clock {
 public:
  std::int64_t now_us() const override;
  void sleep(std::chrono::milliseconds duration) const override;
};

// `size_bytes` bytes from the operating system's generator.
std::string random_bytes(std::size_t size_bytes);

// The pause before attempt `attempt` (from 1): doubles from `first` up to `most`, with half of it
// drawn at random so that writers who collided do not collide again.
std::chrono::milliseconds backoff(int attempt, std::chrono::milliseconds first,
                                  std::chrono::milliseconds most);

}  // namespace coppice
