// Settings: the one table of what can be set.
//
// Model    A setting has a dotted key ("database.url"), a type, a default and a doc line. The same
//          key is [database] url in config.toml and COPPICE_DATABASE_URL in the environment. Values
//          are kept as text; an empty text means "not set" where the default is empty.
// Threads  The table is constant.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace coppice {

enum class SettingType {
  kText,
  kInteger,    // minimum … maximum
  kChoice,     // one of `choices`
  kFolder,     // an absolute path
  kRetention,  // a number of versions "10", or an age "30 days"
  kUrl,        // http or https
  kSecret,     // a reference: config/secret.h
  kMoney,      // an amount: base/money.h
  kDuration,   // base/duration.h
  kCalendar,   // schedule/calendar.h
};

struct Setting {
  std::string_view key;
  SettingType type = SettingType::kText;
  std::string_view default_value;
  std::string_view doc;  // one sentence, with the unit
  std::int64_t minimum = 0;
  std::int64_t maximum = 0;
  std::string_view choices;  // separated by '|'
  bool secret = false;       // may hold a password, masked when shown
};

std::span<const Setting> settings();
// nullptr when there is no such key.
const Setting* find_setting(std::string_view key);

std::string environment_name(std::string_view key);
// "an integer from 1 to 256", "'write' or 'read'".
std::string allowed_values(const Setting& setting);
// What is wrong with `text` as a value, or nullopt when it is allowed.
std::optional<std::string> refusal(const Setting& setting, std::string_view text);

// True for "10" (versions) and "12 hours", "30 days", "2 weeks", "6 months", "1 year" (age).
bool is_retention(std::string_view text);

// A value fit for showing: passwords in URLs and connection strings become "***".
std::string masked(const Setting& setting, std::string_view text);
std::string mask_password(std::string_view url_or_conninfo);

}  // namespace coppice
