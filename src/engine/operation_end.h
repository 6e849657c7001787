// How an operation ends that does not reach its version.
//
// Model    Of an operation that was interrupted or paused, what it has done stays: the ranges of a
//          fill, the stage of a write, the rows of a view that is being made. It waits, and jobs
//          say how to go on. Nothing stays of one that failed or was cancelled; its caller cleans
//          up.
#pragma once

#include <string_view>

#include "engine/context.h"

namespace coppice::engine {

// Whether what the operation has done stays.
bool keeps_work(const Error& error);

// The state of an operation of which nothing stays: 'interrupted', 'cancelled', 'conflict',
// 'failed'.
std::string_view end_state(const Error& error);

// Nobody can take it up any more: another process has.
[[noreturn]] void throw_taken_up(std::int64_t tree_id, std::int64_t op_id);

// Notes that the operation waits, and why; throws the error with how to go on.
[[noreturn]] void leave_waiting(EngineContext& context, const catalog::Operation& operation,
                                const Error& error, bool goes_on_by_itself = false);

}  // namespace coppice::engine
