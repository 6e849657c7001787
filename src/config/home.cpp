#include "config/home.h"

#include <fmt/core.h>
#include <pwd.h>
#include <unistd.h>

#include <charconv>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "config/settings.h"
#include "config/version.h"

namespace coppice {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> variable(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  if (found == environment.end() || found->second.empty()) return std::nullopt;
  return found->second;
}

fs::path user_folder(const Environment& environment) {
  if (const auto folder = variable(environment, "HOME")) return *folder;
  if (const passwd* entry = ::getpwuid(::geteuid())) return entry->pw_dir;
  throw Error(ErrorCode::kUsage, "no home folder is known for this account",
              "say where the Coppice home is with --home or COPPICE_HOME");
}

// A TOML string: basic, with what must be escaped escaped.
std::string toml_string(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      result += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    } else {
      result += c;
    }
  }
  return result + "\"";
}

}  // namespace

fs::path resolve_home(const std::optional<fs::path>& option, const Environment& environment) {
  fs::path home;
  if (option) {
    if (option->empty()) throw Error(ErrorCode::kUsage, "--home is empty", "give it a folder");
    home = *option;
  } else if (const auto folder = variable(environment, "COPPICE_HOME")) {
    home = *folder;
  } else if (::geteuid() == 0) {
    home = "/var/lib/coppice";
  } else {
    home = user_folder(environment) / ".coppice";
  }
  home = fs::absolute(home).lexically_normal();
  return home.has_filename() ? home : home.parent_path();
}

std::optional<int> home_format(const fs::path& home) {
  const fs::path file = home / "format";
  if (!fs::exists(file)) return std::nullopt;
  const std::string content = read_file(file);
  const std::string_view digits = trim(content);
  int format = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), format);
  if (error != std::errc() || end != digits.data() + digits.size() || format < 1) {
    throw Error(ErrorCode::kIntegrity, fmt::format("{} holds no format number", file.string()),
                fmt::format("a home of this version has the one line {} there", kHomeFormat));
  }
  return format;
}

void check_home_format(const fs::path& home) {
  const std::optional<int> format = home_format(home);
  if (!format || *format <= kHomeFormat) return;
  throw Error(ErrorCode::kNewerFormat,
              fmt::format("the home {} has format {}, this coppice {} reads up to {}",
                          home.string(), *format, program_version(), kHomeFormat),
              "use the newer coppice that wrote it, or another --home; nothing was changed");
}

void write_home_format(const fs::path& home) {
  write_file_atomically(home / "format", fmt::format("{}\n", kHomeFormat), 0644);
}

std::string config_template(std::string_view database_url) {
  std::string text =
      "# Settings of this Coppice home. Each is shown with its default; remove the # to set it.\n"
      "# The environment is stronger than this file, options of the command line are stronger\n"
      "# than both. `coppice doctor --config` shows what holds and why.\n";
  // Dotted keys, not [sections]: a section added below must not meet another of its name.
  std::string section;
  for (const Setting& setting : settings()) {
    const std::size_t dot = setting.key.find('.');
    if (setting.key.substr(0, dot) != section) {
      section = setting.key.substr(0, dot);
      text += "\n";
    }
    const bool given = setting.key == "database.url" && !database_url.empty();
    const std::string value = setting.type == SettingType::kInteger
                                  ? std::string(setting.default_value)
                                  : toml_string(given ? database_url : setting.default_value);
    text += fmt::format("# {}\n# Environment: {}. Allowed: {}.\n", setting.doc,
                        environment_name(setting.key), allowed_values(setting));
    text += fmt::format("{}{} = {}\n", given ? "" : "# ", setting.key, value);
  }
  return text;
}

bool write_config_template(const fs::path& home, std::string_view database_url) {
  const fs::path file = home / "config.toml";
  if (fs::exists(file)) return false;
  write_file_atomically(file, config_template(database_url), 0600);
  return true;
}

}  // namespace coppice
