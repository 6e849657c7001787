#include "config/version.h"

namespace coppice {

std::string_view program_version() { return COPPICE_VERSION; }

}  // namespace coppice
