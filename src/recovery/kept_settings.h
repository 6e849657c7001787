// The settings of a home, as a backup keeps them.
#pragma once

#include <string>

#include "config/config.h"

namespace coppice::recovery {

// What config.toml says, as far as nothing in it is secret.
std::string settings_without_secrets(const Config& config);

}  // namespace coppice::recovery
