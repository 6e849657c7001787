// Assertions: SQL that must be true of what was restored.
//
// Model    Of each statement the first column of every row must be true, and there must be a row. A
//          statement that fails does not hold.
// Errors   kSyntax for a text that cannot be parsed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "engine/context.h"
#include "recovery/recovery.h"

namespace coppice::recovery {

std::vector<DrillReport::Assertion> run_assertions(engine::EngineContext& context,
                                                   std::string_view text);
// In a home that is opened for it.
std::vector<DrillReport::Assertion> run_assertions(const ConfigRequest& where,
                                                   std::string_view text);

}  // namespace coppice::recovery
