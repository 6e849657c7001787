// What an answer asks for: how long to wait before the next request.
//
// Source   RFC 9110, section 10.2.3 (seconds or a date); retry-after-ms as model services send it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "net/http_client.h"

namespace coppice {

// nullopt when the answer does not say, or not in a form that is known. A date in the past is 0.
std::optional<std::chrono::milliseconds> retry_after(const HttpResponse& response,
                                                     std::int64_t now_us);

// An HTTP date ("Sun, 06 Nov 1994 08:49:37 GMT") or one of RFC 3339 in UTC, as microseconds since
// 1970.
std::optional<std::int64_t> parse_time_us(const std::string& text);

}  // namespace coppice
