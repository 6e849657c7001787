// Verdict: what an attempt's end means: a result, another try, halves, or a failure.
//
// Source   docs/formats/http_functions.md, "Failures of a cell" and "Manners"
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "net/http_multi.h"
#include "services/json_answer.h"
#include "services/service_form.h"
#include "services/shared_limits.h"

namespace coppice::services {

enum class Next { kDone, kRetry, kSplit, kFail };

struct Verdict {
  Next next = Next::kFail;
  Answer answer;                // of kDone
  CellFailure failure;          // of the others
  bool service_failed = false;  // it is not there or cannot work: for the circuit breaker
  std::optional<std::chrono::milliseconds> pause;  // what Retry-After asks for
  LearnedLimits learned;
};

// `parser` is memory to work in.
Verdict judge(const HttpEnd& end, const ServiceForm& form, std::size_t call_count,
              JsonAnswer& parser, std::int64_t now_us);

}  // namespace coppice::services
