// Base64 of byte strings, as RFC 4648 section 4 has it, with padding.
#pragma once

#include <string>
#include <string_view>

namespace coppice {

std::string to_base64(std::string_view bytes);

}  // namespace coppice
