// Suspicion: whether the measures of a backup jump, as encryption by an attacker or a bad script
// makes them.
//
// Model    What is usual is the median of the last backups that nobody suspects, or that somebody
//          has confirmed; how much it varies, the median deviation from it. A measure jumps when
//          it lies above both the usual by a share that settings say, and four deviations. Small
//          tables and few backups are not judged.
// Threads  Pure functions.
// Source   docs/formats/backup.md, "Manifest"; the median absolute deviation times 1.4826 estimates
//          a normal distribution's standard deviation (Hampel 1974)
#pragma once

#include <string>
#include <vector>

#include "backup/measures.h"
#include "config/config.h"

namespace coppice::recovery {

struct WatchLimits {
  double changed = 0.5, packed = 0.25;  // shares; 0: not judged
  std::uint64_t least_rows = 1000, least_bytes = 1 << 20, least_media = 100;
  std::size_t least_backups = 3;
};
WatchLimits watch_limits(const Config& config);

// So many of the last backups say what is usual.
inline constexpr std::size_t kMostPast = 30;

// Why it is suspect, each in words; empty: it is not. `past`: the oldest first.
std::vector<std::string> suspicions(const Measures& now, const std::vector<Measures>& past,
                                    const WatchLimits& limits);

}  // namespace coppice::recovery
