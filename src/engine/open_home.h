// Making and opening a home: its folders, its server and its catalog.
//
// Errors   kNotFound for a home that was never made, kNewerFormat, and those of the server.
#pragma once

#include <memory>
#include <optional>

#include "engine/context.h"

namespace coppice::engine {

// Makes what is missing. True when there was no home before.
bool make_home(const Config& config, ResultSink& sink);
std::unique_ptr<EngineContext> open_home(const Config& config);
// The file that a home has while it is being restored.
std::filesystem::path restore_marker(const std::filesystem::path& home);
// kBusy for such a home: what is there is not all.
void check_restored(const Config& config);
// A session of the home's database, as its owner; nullopt when its server does not answer: none is
// started, and nothing is written.
std::optional<pg::Connection> connect_if_running(const Config& config);
// Stops the private server; false when none ran or the home uses an existing server.
bool stop_home(const Config& config);

}  // namespace coppice::engine
