// coppice-media: the function worker of the built-in engine functions.
//
// Model    Started by the engine, never by a person; speaks docs/formats/worker_protocol.md over
//          its standard input and output, and ends when its input does.
#include <malloc.h>

#include <cstdlib>
#include <exception>
#include <iostream>

#include "functions/evaluator.h"
#include "workers/serve.h"

int main() {
  // Libraries that would start threads of their own are told not to: the engine runs one worker
  // for each core.
  ::setenv("OMP_THREAD_LIMIT", "1", 1);
  ::setenv("OMP_NUM_THREADS", "1", 1);
  ::setenv("VIPS_CONCURRENCY", "1", 1);
  // Each arena of malloc takes 64 MiB of a worker's address space, and by default every thread gets
  // one of its own.
  ::mallopt(M_ARENA_MAX, 2);
  try {
    coppice::functions::MediaEvaluator evaluator;
    return coppice::serve_standard_streams(evaluator, "coppice-media");
  } catch (const std::exception& error) {
    std::cerr << "coppice-media: " << error.what() << '\n';
    return 1;
  }
}
