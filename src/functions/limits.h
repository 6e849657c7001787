// Limits: what one call may cost, whatever the input claims.
//
// Units    Pixels are width x height of one image or frame, whatever its bands. Rows are those of
// an
//          iterator; threads are those that one call may keep busy.
// Source   Environment: COPPICE_MAX_PIXELS. The memory and time of a whole worker are limited from
//          outside, by the pool that starts it.
#pragma once

#include <chrono>
#include <cstdint>

namespace coppice::functions {

struct Limits {
  std::int64_t max_pixels = 268'435'456;  // 16384 x 16384
  std::chrono::milliseconds document_timeout{60'000};
  std::uint64_t document_memory_bytes = std::uint64_t{2} << 30;
  std::uint64_t max_text_bytes = std::uint64_t{256} << 20;
  std::int64_t max_rows = 500'000;
  std::uint64_t max_rows_bytes = std::uint64_t{60} << 20;  // a frame of the protocol holds 64 MiB
  int threads = 1;  // from_environment(): as many as there are cores, at most 4

  // The defaults, changed by what the environment says. Throws Error{kUsage} for a bad number.
  static Limits from_environment();

  // Throws FunctionFailure "limit" when an image of this size may not be decoded or made.
  void check_pixels(std::int64_t width, std::int64_t height) const;
};

}  // namespace coppice::functions
