// Hexadecimal text back to bytes; to_hex() is in base/sha256.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace coppice {

// nullopt for what is not pairs of the digits 0-9 and a-f.
std::optional<std::string> from_hex(std::string_view digits);

}  // namespace coppice
