// Config: every setting of one home, with the place each value came from.
//
// Model    Weakest first: default, HOME/config.toml, environment, option of the command line. An
//          environment variable that is set but empty counts as not set. A value that cannot be
//          obeyed is an error, an unknown key a warning with the nearest known one.
// Errors   load() throws kUsage for a wrong value, naming file and line or the variable, and what
//          is allowed.
// Threads  Constant once loaded.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coppice {

using Environment = std::map<std::string, std::string>;
// The environment of this process.
Environment process_environment();

struct ConfigRequest {
  std::optional<std::filesystem::path> home;  // --home
  std::optional<std::string> database_url;    // --database
  Environment environment;
};

enum class SettingSource { kDefault, kFile, kEnvironment, kOption };

struct SettingValue {
  std::string text;
  SettingSource source = SettingSource::kDefault;
  std::string origin;  // "default", "/home/u/.coppice/config.toml:3", "COPPICE_DATABASE_URL", …
};

class Config {
 public:
  static Config load(const ConfigRequest& request);

  // Absolute, without a slash at the end. It need not exist.
  const std::filesystem::path& home() const { return home_; }
  // "--home", "COPPICE_HOME" or "default".
  const std::string& home_origin() const { return home_origin_; }
  std::filesystem::path file() const { return home_ / "config.toml"; }

  // The key must be in settings(). Text settings that are not set are "".
  const SettingValue& value(std::string_view key) const;
  const std::string& text(std::string_view key) const { return value(key).text; }
  std::int64_t integer(std::string_view key) const;

  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  void read_file();
  void read_environment(const Environment& environment);
  void set(std::string_view key, SettingValue value);
  void check_together() const;
  void check_file_mode();

  std::filesystem::path home_;
  std::string home_origin_;
  std::map<std::string, SettingValue, std::less<>> values_;
  std::vector<std::string> warnings_;
};

}  // namespace coppice
