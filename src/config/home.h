// The home: the folder that is one deployment, and the number of its format.
//
// Model    HOME/format holds one number. A program reads homes of its own format and older ones;
//          a newer one is refused before anything is touched.
// Errors   kNewerFormat; kIntegrity for a format file that holds no number; kIo.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"

namespace coppice {

inline constexpr int kHomeFormat = 1;

// --home, else COPPICE_HOME, else /var/lib/coppice for root and ~/.coppice for everybody else.
std::filesystem::path resolve_home(const std::optional<std::filesystem::path>& option,
                                   const Environment& environment);

// The format of a home; nullopt where there is none (yet).
std::optional<int> home_format(const std::filesystem::path& home);
// Throws kNewerFormat when this program is too old for the home.
void check_home_format(const std::filesystem::path& home);
// The last step of making a home: only then does it exist for others.
void write_home_format(const std::filesystem::path& home);

// config.toml with every setting commented out, its doc line above it. With a `database_url` that
// one line is set.
std::string config_template(std::string_view database_url = {});
// Writes it, readable by its owner only. False, and nothing written, when the file exists.
bool write_config_template(const std::filesystem::path& home, std::string_view database_url = {});

}  // namespace coppice
