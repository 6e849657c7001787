#include "recovery/restored_files.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/hex.h"
#include "base/sha256.h"
#include "config/config.h"
#include "config/settings.h"

namespace coppice::recovery {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Digests = std::map<std::string, std::string>;  // by setting

// Of what HOME/config.toml says.
Digests setting_digests(const fs::path& home) {
  const Config config = Config::load({home, std::nullopt, {}});
  Digests digests;
  for (const Setting& setting : settings()) {
    const SettingValue& value = config.value(setting.key);
    if (value.source != SettingSource::kFile || setting.secret) continue;
    digests[std::string(setting.key)] = to_hex(sha256(value.text));
  }
  return digests;
}

Digests digests_in(const std::string& text) {
  const ScratchFolder folder(fs::temp_directory_path(), "coppice-config");
  write_file_atomically(folder.path() / "config.toml", text);
  return setting_digests(folder.path());
}

std::vector<std::string> keys_that_differ(const Digests& one, const Digests& other) {
  std::vector<std::pair<std::string, std::string>> entries;
  std::set_symmetric_difference(one.begin(), one.end(), other.begin(), other.end(),
                                std::back_inserter(entries));
  std::set<std::string> keys;
  for (const auto& [key, digest] : entries) keys.insert(key);
  return {keys.begin(), keys.end()};
}

// Code is SHA-256 over its name and its bytes: engine/function_code.h.
bool is_code(const fs::path& file, const std::string& digest) {
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return false;
  return to_hex(sha256(file.filename().string() + '\0' + read_file(file))) == digest;
}

}  // namespace

json config_digests(const std::string& text, const fs::path& home) {
  return {{"sha256", to_hex(sha256(text))}, {"settings", setting_digests(home)}};
}

std::vector<std::string> changed_settings(const json& config, const std::string& text) {
  const std::string expected = config.value("sha256", "");
  if (expected.empty() || to_hex(sha256(text)) == expected) return {};
  constexpr const char* kFile = "config.toml";
  try {
    const Digests recorded = config.at("settings").get<Digests>();
    std::vector<std::string> changed;
    for (const std::string& key : keys_that_differ(recorded, digests_in(text))) {
      changed.push_back(fmt::format("{}: {}", kFile, key));
    }
    if (changed.empty()) changed.push_back(fmt::format("{}: its text, but no setting", kFile));
    return changed;
  } catch (const Error& error) {
    return {fmt::format("{}: {} {}", kFile, error.message(), error.hint())};
  }
}

std::vector<std::string> changed_code(const json& code, const fs::path& folder) {
  std::map<std::string, std::vector<fs::path>> by_digest;
  for (const json& file : code) {
    const fs::path path = fs::path(file.at("path").get<std::string>()).lexically_normal();
    by_digest[path.begin()->string()].push_back(path);
  }
  std::vector<std::string> changed;
  for (const auto& [digest, paths] : by_digest) {
    const std::optional<std::string> bytes = from_hex(digest);
    if (!bytes || bytes->size() != Digest().size()) continue;
    // What lies beside the code is none of a function's.
    const bool is_there =
        std::any_of(paths.begin(), paths.end(),
                    [&, &name = digest](const auto& path) { return is_code(folder / path, name); });
    if (is_there) continue;
    for (const fs::path& path : paths) changed.push_back("functions/" + path.string());
  }
  return changed;
}

}  // namespace coppice::recovery
