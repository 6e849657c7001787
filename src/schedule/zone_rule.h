// The rule at the end of a zone's file, as POSIX writes it in TZ: "CET-1CEST,M3.5.0,M10.5.0/3".
//
// Source   POSIX.1, "Environment Variables", TZ; RFC 8536, section 3.3.1 (hours from -167 to 167)
#pragma once

#include <optional>
#include <string_view>

#include "schedule/zone.h"

namespace coppice::schedule {

// nullopt when it is none.
std::optional<ZoneRule> parse_zone_rule(std::string_view text);

}  // namespace coppice::schedule
