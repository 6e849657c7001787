// mime_type: what bytes are, told from their content by libmagic.
//
// Errors   Error{kInternal} when libmagic's table cannot be loaded.
// Threads  The table is loaded once a thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace coppice::functions {

std::string mime_type_of_file(const std::filesystem::path& file);
std::string mime_type_of_bytes(std::string_view bytes);

}  // namespace coppice::functions
