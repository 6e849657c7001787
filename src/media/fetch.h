// fetch_some: the contents of several references at once.
//
// Model    Takes references from the front of a list, several at a time, until all are here or
//          what is held has reached a limit: a list may be longer than the cache is large. What
//          comes back is for a front part of the list, in its order; the caller uses and lets go of
//          it, and asks again for the rest.
// Threads  Works with threads of its own, which have ended when it returns.
// Errors   What is wrong with one reference (not found, refused, no answer, malformed, too large)
//          is its result. kInterrupted, kDiskFull, kIo and the like end the call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "media/cache.h"

namespace coppice {

struct WantedContent {
  std::string url;
  std::optional<MediaName> known;  // where this content is in the cache, nobody is asked
  Ask ask = Ask::kWhenOld;
};

using FetchedContent = std::variant<CachedObject, Error>;

struct FetchLimits {
  int connections = 8;
  std::uintmax_t held_bytes = UINTMAX_MAX;  // no further content is begun above this
  std::size_t at_least = 1;                 // but for so many
};

std::vector<FetchedContent> fetch_some(UrlCache& cache, const std::vector<WantedContent>& wanted,
                                       const FetchLimits& limits, std::stop_token stop = {});

}  // namespace coppice
