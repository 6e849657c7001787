// serve: the main loop of a function worker.
//
// Model    Answers the engine's messages with what a FragmentEvaluator gives, until `bye` or the
//          end of the input. Every row's result is written before the next row begins, so that a
//          crash belongs to exactly one row. What an evaluator throws is a cell of that row:
//          "memory" for std::bad_alloc, "internal" for the rest.
// Threads  Runs on the calling thread.
// Errors   Returns the exit code of the process: 0 after `bye` or the end of input, 1 when the
//          worker could not go on (said to the engine by `error`, and on standard error).
// Source   docs/formats/worker_protocol.md
#pragma once

#include <string>

#include "workers/evaluator.h"

namespace coppice {

// Serves over two descriptors. `name` is the program's name, for messages of the engine.
int serve(int in_fd, int out_fd, FragmentEvaluator& evaluator, const std::string& name);

// What main() of a worker calls first, before it touches any library: takes the protocol away from
// descriptors 0 and 1 (a library that prints to stdout then prints to stderr), turns core dumps
// off, and serves.
int serve_standard_streams(FragmentEvaluator& evaluator, const std::string& name);

}  // namespace coppice
