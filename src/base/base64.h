// Base64 of byte strings, as RFC 4648 section 4 has it, with padding.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace coppice {

std::string to_base64(std::string_view bytes);
// nullopt for what is not such text.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace coppice
