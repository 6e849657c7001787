#include "config/config.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <charconv>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "config/home.h"
#include "config/settings.h"

namespace coppice {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> known_keys() {
  std::vector<std::string> keys;
  for (const Setting& setting : settings()) keys.emplace_back(setting.key);
  return keys;
}

struct Leaf {
  std::string key;
  const toml::node* node = nullptr;
  std::uint32_t line = 0;
};

void collect_leaves(const toml::table& table, const std::string& prefix,
                    std::vector<Leaf>& leaves) {
  for (const auto& [name, node] : table) {
    const std::string key = prefix + std::string(name.str());
    if (const toml::table* inner = node.as_table()) {
      collect_leaves(*inner, key + ".", leaves);
    } else {
      leaves.push_back({key, &node, node.source().begin.line});
    }
  }
}

// The text of a value, or nullopt when its TOML type does not fit the setting.
std::optional<std::string> text_of(const Setting& setting, const toml::node& node) {
  if (const auto* text = node.as_string()) {
    return setting.type == SettingType::kInteger ? std::nullopt : std::optional(text->get());
  }
  if (const auto* number = node.as_integer()) {
    const bool fits =
        setting.type == SettingType::kInteger || setting.type == SettingType::kRetention;
    return fits ? std::optional(std::to_string(number->get())) : std::nullopt;
  }
  return std::nullopt;
}

toml::table parse_toml(const fs::path& file) {
  const std::string content = coppice::read_file(file);
  try {
    return toml::parse(content, file.string());
  } catch (const toml::parse_error& error) {
    throw Error(ErrorCode::kUsage,
                fmt::format("{}:{}:{}: {}", file.string(), error.source().begin.line,
                            error.source().begin.column, error.description()),
                "the file is TOML: [section], then key = \"text\" or key = 1");
  }
}

}  // namespace

Environment process_environment() {
  Environment environment;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos) {
      environment.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return environment;
}

Config Config::load(const ConfigRequest& request) {
  Config config;
  config.home_ = resolve_home(request.home, request.environment);
  const auto variable = request.environment.find("COPPICE_HOME");
  const bool from_variable = variable != request.environment.end() && !variable->second.empty();
  config.home_origin_ = request.home ? "--home" : from_variable ? "COPPICE_HOME" : "default";
  for (const Setting& setting : settings()) {
    config.values_[std::string(setting.key)] = {std::string(setting.default_value),
                                                SettingSource::kDefault, "default"};
  }
  if (fs::exists(config.file())) config.read_file();
  config.read_environment(request.environment);
  if (request.database_url) {
    config.set("database.url", {*request.database_url, SettingSource::kOption, "--database"});
  }
  config.check_together();
  config.check_file_mode();
  return config;
}

const SettingValue& Config::value(std::string_view key) const {
  const auto found = values_.find(key);
  COPPICE_ASSERT(found != values_.end());
  return found->second;
}

std::int64_t Config::integer(std::string_view key) const {
  const std::string& digits = text(key);
  std::int64_t result = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), result);
  COPPICE_ASSERT(error == std::errc() && end == digits.data() + digits.size());
  return result;
}

void Config::read_file() {
  const toml::table table = parse_toml(file());
  std::vector<Leaf> leaves;
  collect_leaves(table, "", leaves);
  const std::vector<std::string> known = known_keys();
  for (const Leaf& leaf : leaves) {
    const std::string origin = fmt::format("{}:{}", file().string(), leaf.line);
    const Setting* setting = find_setting(leaf.key);
    if (setting == nullptr) {
      const std::string hint = did_you_mean(leaf.key, known);
      warnings_.push_back(fmt::format("{}: there is no setting \"{}\", it does nothing{}{}", origin,
                                      leaf.key, hint.empty() ? "" : "; ", hint));
      continue;
    }
    const std::optional<std::string> text = text_of(*setting, *leaf.node);
    if (!text) {
      throw Error(ErrorCode::kUsage, fmt::format("{}: {} has the wrong type", origin, leaf.key),
                  fmt::format("{} must be {}", leaf.key, allowed_values(*setting)));
    }
    set(leaf.key, {*text, SettingSource::kFile, origin});
  }
}

void Config::read_environment(const Environment& environment) {
  // Variables that are not settings but belong to Coppice.
  std::vector<std::string> names = {"HOME", "TEST", "CRASH_AT", "NOW"};
  constexpr std::string_view kPrefix = "COPPICE_";
  for (const Setting& setting : settings()) {
    const std::string name = environment_name(setting.key);
    names.push_back(name.substr(kPrefix.size()));
    const auto found = environment.find(name);
    if (found == environment.end() || found->second.empty()) continue;
    set(setting.key, {found->second, SettingSource::kEnvironment, name});
  }
  for (const auto& [name, text] : environment) {
    if (!name.starts_with(kPrefix)) continue;
    // Only what looks like a slip is reported: other programs may use the prefix too.
    const std::string rest = name.substr(kPrefix.size());
    const std::optional<std::string> nearest = nearest_name(rest, names);
    if (!nearest || *nearest == rest) continue;
    warnings_.push_back(
        fmt::format("environment: {} does nothing; did you mean {}{}?", name, kPrefix, *nearest));
  }
}

void Config::set(std::string_view key, SettingValue value) {
  const Setting* setting = find_setting(key);
  COPPICE_ASSERT(setting != nullptr);
  if (const std::optional<std::string> reason = refusal(*setting, value.text)) {
    throw Error(ErrorCode::kUsage, value.origin + ": " + *reason,
                fmt::format("{}: {}", key, setting->doc));
  }
  values_.find(key)->second = std::move(value);
}

void Config::check_together() const {
  const SettingValue& bin = value("database.server_bin");
  if (bin.text.empty()) return;
  for (const char* program : {"postgres", "initdb"}) {
    if (::access((fs::path(bin.text) / program).c_str(), X_OK) != 0) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("{}: there is no program {} in database.server_bin '{}'", bin.origin,
                              program, bin.text),
                  "on Debian it is /usr/lib/postgresql/15/bin, of the package postgresql-15");
    }
  }
  // --database replaces the private server for one command; both as settings contradict each other.
  const SettingValue& url = value("database.url");
  if (!url.text.empty() && url.source != SettingSource::kOption) {
    throw Error(ErrorCode::kUsage,
                fmt::format("{}: database.server_bin cannot be obeyed, because database.url ({}) "
                            "names a server that is not private",
                            bin.origin, url.origin),
                "remove one of the two");
  }
}

void Config::check_file_mode() {
  const SettingValue& url = value("database.url");
  if (url.source != SettingSource::kFile || mask_password(url.text) == url.text) return;
  struct stat facts {};
  if (::stat(file().c_str(), &facts) == 0 && (facts.st_mode & 077) != 0) {
    warnings_.push_back(fmt::format("{} holds a password and others can read it; chmod 600 {}",
                                    file().string(), file().string()));
  }
}

}  // namespace coppice
