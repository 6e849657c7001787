// Files that a restore has made: whether they are those that were backed up.
//
// Model    Roots cover neither the code of functions, but for its digest, nor every setting. Code
//          lies below its digest; of settings the backup keeps digests beside the text.
// Threads  Safe from any thread.
// Errors   Those of reading files.
// Source   docs/formats/backup.md, "Trees"
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace coppice::recovery {

// For "config" of the home's tree: digests of the text, and of each setting of the home that is in
// it: all that its config.toml says, but secrets.
nlohmann::json config_digests(const std::string& text, const std::filesystem::path& home);
// What of a config.toml is not as `config` of the home's tree says: "config.toml: workers.count".
std::vector<std::string> changed_settings(const nlohmann::json& config, const std::string& text);

// Which files of `code` of the home's tree are below `folder` with other bytes, or not at all:
// "functions/<digest>/captions.py". Files beside the one that has the digest are left alone.
std::vector<std::string> changed_code(const nlohmann::json& code,
                                      const std::filesystem::path& folder);

}  // namespace coppice::recovery
