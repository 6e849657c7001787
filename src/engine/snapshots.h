// Snapshots: names for versions, which keep them from being pruned.
//
// Model    A snapshot names the version that is current when it is made. It may stand wherever a
//          version may: films."film:nightly", `diff film nightly 12`, `revert film --to nightly`.
//          It takes no version of its own and survives whatever happens to the table but DROP.
// Errors   kUsage for a name that would read as a number or a time, kAlreadyExists, kNotFound.
#pragma once

#include <optional>
#include <string>

#include "engine/context.h"

namespace coppice::engine {

void create_snapshot(EngineContext& context, const std::string& table, const std::string& name,
                     ResultSink& sink);
void drop_snapshot(EngineContext& context, const std::string& table, const std::string& name,
                   ResultSink& sink);
// Of one table or of all.
void list_snapshots(EngineContext& context, const std::optional<std::string>& table,
                    ResultSink& sink);

}  // namespace coppice::engine
