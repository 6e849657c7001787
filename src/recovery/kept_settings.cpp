#include "recovery/kept_settings.h"

#include <fmt/core.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "config/settings.h"

namespace coppice::recovery {

using nlohmann::json;

std::string settings_without_secrets(const Config& config) {
  const Config kept = Config::load({config.home(), std::nullopt, {}});
  bool has_secret = false;
  std::string plain;
  for (const Setting& setting : settings()) {
    const SettingValue& value = kept.value(setting.key);
    if (value.source != SettingSource::kFile) continue;
    has_secret = has_secret || setting.secret;
    if (setting.secret) continue;
    const bool is_number = setting.type == SettingType::kInteger;
    plain +=
        fmt::format("{} = {}\n", setting.key, is_number ? value.text : json(value.text).dump());
  }
  if (!has_secret && std::filesystem::exists(config.file())) return read_file(config.file());
  return plain;
}

}  // namespace coppice::recovery
