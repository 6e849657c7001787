// SeededRandom: while one is there, what the program takes for random comes from a seed, so that a
// test that draws keys, salts and names runs again in the same way.
//
// Model    It stands in front of getrandom(2), from which base/clock.h and libsodium draw; only
//          tests link it.
// Threads  Any; draws of several threads at once come in no fixed order.
#pragma once

#include <cstdint>

namespace coppice::repo {

class SeededRandom {
 public:
  explicit SeededRandom(std::uint64_t seed);
  ~SeededRandom();
  SeededRandom(const SeededRandom&) = delete;
  SeededRandom& operator=(const SeededRandom&) = delete;
};

}  // namespace coppice::repo
