// What a service says of its limits in the headers of an answer.
//
// Source   x-ratelimit-{limit,remaining,reset}-{requests,tokens} as OpenAI documents them (reset is
// a
//          time such as "6m0s" or "12ms"); anthropic-ratelimit-{requests,tokens,input-tokens}-
//          {limit,remaining,reset} (reset is a time of RFC 3339).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "net/http_client.h"
#include "services/shared_limits.h"

namespace coppice::services {

// Of any answer. A bucket that is empty gives a pause until it is filled again; Retry-After does
// not belong here.
LearnedLimits learned_limits(const HttpResponse& response, std::int64_t now_us);

// "6m0s", "1h2m", "350ms", "1.5s".
std::optional<std::chrono::milliseconds> parse_go_duration(std::string_view text);

}  // namespace coppice::services
