// run: the program `coppice` but for what main.cpp knows, so that tests can call it.
//
// Model    Parses the command line, runs one verb, reports its error, returns the exit code of
//          base/error.h. Nothing is thrown.
// Threads  One call at a time in a process (signal handlers).
#pragma once

#include <span>
#include <string>

#include "cli/console.h"
#include "cli/engine_factory.h"
#include "config/config.h"

namespace coppice::cli {

// `arguments` are those after the program's name.
int run(std::span<const std::string> arguments, EngineFactory& factory, const Streams& streams,
        const Environment& environment);

}  // namespace coppice::cli
