// What `coppice spending` shows of coppice.spending.
//
// Errors   kUsage for another word than function, operation or day.
#pragma once

#include <string>

#include "engine/context.h"
#include "engine/result_sink.h"

namespace coppice::engine {

// One row for each function, operation or day, what was spent last first.
void list_spending(EngineContext& context, const std::string& by, ResultSink& sink);

struct SpentByHome {
  Money total, today;
};
SpentByHome spent_by_home(EngineContext& context);

}  // namespace coppice::engine
