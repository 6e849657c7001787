// Looking into a backup of other people's data: "dump", and "files/srv/data/…".
//
// Units    Paths are shown as shown_path() gives them, and are written like that.
// Errors   kNotFound for a path that is not there, as false.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "recovery/other_data.h"

namespace coppice::recovery {

// Calls with each path at `path` or below it, and its size if it has one. Folders and links that
// are asked for are read, and no others.
void for_each_path(
    const repo::Repository& repository, const OtherData& data, const std::string& path,
    const std::function<void(const std::string& path, std::optional<std::uint64_t> size)>& visit);
// The bytes of the dump, or of a file; false when there is no such path.
bool read_path(const repo::Repository& repository, const OtherData& data, const std::string& path,
               const std::function<void(std::string_view)>& visit);

}  // namespace coppice::recovery
