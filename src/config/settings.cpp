#include "config/settings.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/duration.h"
#include "base/money.h"
#include "base/text.h"
#include "config/secret.h"
#include "schedule/calendar.h"

namespace coppice {
namespace {

constexpr Setting kSettings[] = {
    {.key = "database.url",
     .doc = "An existing PostgreSQL 13 or newer to use; not set: a private server in the home.",
     .secret = true},
    {.key = "database.server_bin",
     .type = SettingType::kFolder,
     .doc = "The folder with postgres and initdb for the private server; not set: the newest found "
            "on this machine."},
    {.key = "backup.repository",
     .doc = "Where backups go when a command does not say it: a folder, outside of the home."},
    {.key = "backup.password",
     .type = SettingType::kSecret,
     .default_value = "env:COPPICE_REPO_PASSWORD",
     .doc = "Where the passphrase of that repository is, not the passphrase itself."},
    {.key = "backup.limit_rate",
     .type = SettingType::kInteger,
     .default_value = "0",
     .doc = "At most so many KiB a second pass between this machine and a repository; 0: as many "
            "as can.",
     .minimum = 0,
     .maximum = 1 << 30},
    {.key = "objectives.rto",
     .type = SettingType::kDuration,
     .doc = "How long a recovery may take: a drill that takes longer does not pass; not set: any "
            "time."},
    {.key = "objectives.rpo",
     .type = SettingType::kDuration,
     .doc = "How old the newest version of a backup may be when it is needed: a drill that finds "
            "an older one does not pass; not set: any age."},
    {.key = "objectives.backup_every",
     .type = SettingType::kDuration,
     .doc = "How old the latest backup may become; not set: any age."},
    {.key = "objectives.drill_every",
     .type = SettingType::kDuration,
     .doc = "How long ago the latest drill may have been; not set: any time."},
    {.key = "backup.key_file",
     .doc = "A file whose bytes are the key of that repository, in place of a passphrase; a "
            "relative name is below the home."},
    {.key = "backup.keep_last",
     .type = SettingType::kInteger,
     .default_value = "0",
     .doc = "The last so many backups of this home stay when the schedule forgets.",
     .minimum = 0,
     .maximum = 1'000'000},
    {.key = "backup.keep_hourly",
     .type = SettingType::kInteger,
     .default_value = "0",
     .doc = "So does the latest of each of so many hours that have one.",
     .minimum = 0,
     .maximum = 1'000'000},
    {.key = "backup.keep_daily",
     .type = SettingType::kInteger,
     .default_value = "0",
     .doc = "So does the latest of each of so many days (UTC).",
     .minimum = 0,
     .maximum = 1'000'000},
    {.key = "backup.keep_weekly",
     .type = SettingType::kInteger,
     .default_value = "0",
     .doc = "So does the latest of each of so many weeks, from Monday.",
     .minimum = 0,
     .maximum = 1'000'000},
    {.key = "backup.keep_monthly",
     .type = SettingType::kInteger,
     .default_value = "0",
     .doc = "So does the latest of each of so many months.",
     .minimum = 0,
     .maximum = 1'000'000},
    {.key = "backup.keep_yearly",
     .type = SettingType::kInteger,
     .default_value = "0",
     .doc = "So does the latest of each of so many years.",
     .minimum = 0,
     .maximum = 1'000'000},
    {.key = "backup.keep_within",
     .type = SettingType::kDuration,
     .doc = "So do all that are not older than that before the latest."},
    {.key = "backup.keep_tags",
     .doc = "So do all that have one of these tags, separated by commas."},
    {.key = "schedule.backup",
     .type = SettingType::kCalendar,
     .doc = "When backups are made by `coppice schedule run`; not set: never."},
    {.key = "schedule.forget",
     .type = SettingType::kCalendar,
     .doc = "When backups of this home that no backup.keep_… asks for are forgotten; not set: "
            "never."},
    {.key = "schedule.prune",
     .type = SettingType::kCalendar,
     .doc = "When what no backup needs is removed from the repository; not set: never."},
    {.key = "schedule.verify",
     .type = SettingType::kCalendar,
     .doc = "When a part of the repository is read and checked; not set: never."},
    {.key = "schedule.verify_parts",
     .type = SettingType::kInteger,
     .default_value = "10",
     .doc = "In so many of these runs all data is read, another part in each; 1: all in each.",
     .minimum = 1,
     .maximum = 10'000},
    {.key = "schedule.drill",
     .type = SettingType::kCalendar,
     .doc = "When the latest backup is restored into a scratch home, and proven; not set: never."},
    {.key = "schedule.drill_assertions",
     .doc = "A file of SQL that must be true of what a drill restores; a relative name is below "
            "the home."},
    {.key = "schedule.drill_scratch",
     .type = SettingType::kFolder,
     .doc = "Where drills make and remove the scratch home; not set: the folder for temporary "
            "files."},
    {.key = "schedule.timezone",
     .default_value = "UTC",
     .doc = "Whose clock the times of a schedule are of: UTC, local, or a name like "
            "Europe/Berlin."},
    {.key = "watch.changed_percent",
     .type = SettingType::kInteger,
     .default_value = "50",
     .doc = "A backup is suspect when so much more of a table's rows than usual was changed or "
            "deleted since the one before; 0: never.",
     .minimum = 0,
     .maximum = 100},
    {.key = "watch.packed_percent",
     .type = SettingType::kInteger,
     .default_value = "25",
     .doc = "It is when compression leaves so much more of new data than usual: what was encrypted "
            "does not compress; 0: never.",
     .minimum = 0,
     .maximum = 100},
    {.key = "watch.least_rows",
     .type = SettingType::kInteger,
     .default_value = "1000",
     .doc = "Tables with fewer rows are not watched.",
     .minimum = 1,
     .maximum = 1'000'000'000},
    {.key = "watch.least_kib",
     .type = SettingType::kInteger,
     .default_value = "1024",
     .doc = "New data of fewer KiB are not.",
     .minimum = 1,
     .maximum = 1'000'000'000},
    {.key = "watch.least_media",
     .type = SettingType::kInteger,
     .default_value = "100",
     .doc = "Nor are fewer media objects.",
     .minimum = 1,
     .maximum = 1'000'000'000},
    {.key = "watch.least_backups",
     .type = SettingType::kInteger,
     .default_value = "3",
     .doc = "How many backups must have been made before one can be unusual.",
     .minimum = 1,
     .maximum = 1'000},
    {.key = "workers.count",
     .type = SettingType::kInteger,
     .default_value = "0",
     .doc = "Function workers that run at once; 0: one per core.",
     .minimum = 0,
     .maximum = 1024},
    {.key = "workers.memory_mb",
     .type = SettingType::kInteger,
     .default_value = "2048",
     .doc = "Address space of one function worker, in MiB.",
     .minimum = 256,
     .maximum = 1 << 20},
    {.key = "workers.timeout_s",
     .type = SettingType::kInteger,
     .default_value = "120",
     .doc = "Seconds that one row may take in a function worker before its cell fails.",
     .minimum = 1,
     .maximum = 86400},
    {.key = "media.validate",
     .type = SettingType::kChoice,
     .default_value = "write",
     .doc = "When media are checked by decoding: when written, or when first read.",
     .choices = "write|read"},
    {.key = "media.references",
     .type = SettingType::kChoice,
     .default_value = "take",
     .doc =
         "What an http(s) URL given to a media column becomes: its bytes are taken into the media "
         "store, or the URL is kept; a column's option 'references' comes first.",
     .choices = "take|keep"},
    {.key = "media.connections",
     .type = SettingType::kInteger,
     .default_value = "8",
     .doc = "How many http(s) references are fetched at the same time.",
     .minimum = 1,
     .maximum = 64},
    {.key = "media.timeout_s",
     .type = SettingType::kInteger,
     .default_value = "30",
     .doc =
         "Seconds without a byte from a server after which a reference is given up or tried again.",
     .minimum = 1,
     .maximum = 3600},
    {.key = "media.max_pixels",
     .type = SettingType::kInteger,
     .default_value = "268435456",
     .doc = "Images and frames with more pixels than this are refused before they are decoded.",
     .minimum = 1,
     .maximum = std::int64_t{1} << 36},
    {.key = "media.cache_mb",
     .type = SettingType::kInteger,
     .default_value = "1024",
     .doc = "Disk space for downloaded http(s) references, in MiB.",
     .minimum = 1,
     .maximum = std::int64_t{1} << 30},
    {.key = "services.openai.base_url",
     .type = SettingType::kUrl,
     .default_value = "https://api.openai.com/v1",
     .doc = "Where OpenAI (or a service that speaks like it) is."},
    {.key = "services.openai.key",
     .type = SettingType::kSecret,
     .default_value = "env:OPENAI_API_KEY",
     .doc = "Where the key of that address is, not the key itself; it goes to no other address."},
    {.key = "services.openai.requests_per_minute",
     .type = SettingType::kInteger,
     .default_value = "0",
     .doc = "Requests a minute for each model, of all processes of the home; 0: what the service "
            "says.",
     .minimum = 0,
     .maximum = 10'000'000},
    {.key = "services.openai.tokens_per_minute",
     .type = SettingType::kInteger,
     .default_value = "0",
     .doc =
         "Tokens a minute for each model, of all processes of the home; 0: what the service says.",
     .minimum = 0,
     .maximum = std::int64_t{1} << 40},
    {.key = "services.openai.in_flight",
     .type = SettingType::kInteger,
     .default_value = "64",
     .doc = "Calls of one model at the same time, of all processes of the home.",
     .minimum = 1,
     .maximum = 1024},
    {.key = "services.anthropic.base_url",
     .type = SettingType::kUrl,
     .default_value = "https://api.anthropic.com",
     .doc = "Where Anthropic is."},
    {.key = "services.anthropic.key",
     .type = SettingType::kSecret,
     .default_value = "env:ANTHROPIC_API_KEY",
     .doc = "Where the key of that address is, not the key itself; it goes to no other address."},
    {.key = "services.anthropic.requests_per_minute",
     .type = SettingType::kInteger,
     .default_value = "0",
     .doc = "Requests a minute for each model, of all processes of the home; 0: what the service "
            "says.",
     .minimum = 0,
     .maximum = 10'000'000},
    {.key = "services.anthropic.tokens_per_minute",
     .type = SettingType::kInteger,
     .default_value = "0",
     .doc =
         "Tokens a minute for each model, of all processes of the home; 0: what the service says.",
     .minimum = 0,
     .maximum = std::int64_t{1} << 40},
    {.key = "services.anthropic.in_flight",
     .type = SettingType::kInteger,
     .default_value = "64",
     .doc = "Calls of one model at the same time, of all processes of the home.",
     .minimum = 1,
     .maximum = 1024},
    {.key = "services.gemini.base_url",
     .type = SettingType::kUrl,
     .default_value = "https://generativelanguage.googleapis.com",
     .doc = "Where Gemini is."},
    {.key = "services.gemini.key",
     .type = SettingType::kSecret,
     .default_value = "env:GEMINI_API_KEY",
     .doc = "Where the key of that address is, not the key itself; it goes to no other address."},
    {.key = "services.gemini.requests_per_minute",
     .type = SettingType::kInteger,
     .default_value = "0",
     .doc = "Requests a minute for each model, of all processes of the home; 0: what the service "
            "says.",
     .minimum = 0,
     .maximum = 10'000'000},
    {.key = "services.gemini.tokens_per_minute",
     .type = SettingType::kInteger,
     .default_value = "0",
     .doc =
         "Tokens a minute for each model, of all processes of the home; 0: what the service says.",
     .minimum = 0,
     .maximum = std::int64_t{1} << 40},
    {.key = "services.gemini.in_flight",
     .type = SettingType::kInteger,
     .default_value = "64",
     .doc = "Calls of one model at the same time, of all processes of the home.",
     .minimum = 1,
     .maximum = 1024},
    {.key = "budget.currency",
     .default_value = "USD",
     .doc = "What prices and budgets are counted in; a word, nothing is converted."},
    {.key = "budget.total",
     .type = SettingType::kMoney,
     .doc = "What calls of functions with a price may cost this home in all, of all its processes; "
            "not set: no limit."},
    {.key = "budget.per_day",
     .type = SettingType::kMoney,
     .doc = "What they may cost on one day (UTC); not set: no limit."},
    {.key = "jobs.lease_s",
     .type = SettingType::kInteger,
     .default_value = "15",
     .doc =
         "Seconds after which rows that a process has claimed go to another one, when it does not "
         "answer; a process that has ended loses them at once.",
     .minimum = 2,
     .maximum = 3600},
    {.key = "retention.keep",
     .type = SettingType::kRetention,
     .doc = "What prune keeps where a table says nothing: a number of versions or an age; not set: "
            "everything."},
    {.key = "statement.max_mb",
     .type = SettingType::kInteger,
     .default_value = "16",
     .doc = "The largest SQL statement that is read, in MiB.",
     .minimum = 1,
     .maximum = 1023},
};

std::optional<std::int64_t> to_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Replaces what follows `name` up to a delimiter, wherever `name` stands for itself.
std::string mask_parameter(std::string text, std::string_view name, std::string_view delimiters) {
  std::size_t at = 0;
  while ((at = lower(text).find(name, at)) != std::string::npos) {
    const std::size_t begin = at + name.size();
    const bool alone =
        at == 0 || std::string_view(" ?&\t\n").find(text[at - 1]) != std::string::npos;
    at = begin;
    if (!alone) continue;
    std::size_t end = text.find_first_of(delimiters, begin);
    if (begin < text.size() && text[begin] == '\'') {
      end = begin + 1;
      while (end < text.size() && text[end] != '\'') end += text[end] == '\\' ? 2 : 1;
      end = std::min(end + 1, text.size());
    }
    text.replace(begin, std::min(end, text.size()) - begin, "***");
  }
  return text;
}

}  // namespace

std::span<const Setting> settings() { return kSettings; }

const Setting* find_setting(std::string_view key) {
  const auto found = std::find_if(std::begin(kSettings), std::end(kSettings),
                                  [&](const Setting& setting) { return setting.key == key; });
  return found == std::end(kSettings) ? nullptr : found;
}

std::string environment_name(std::string_view key) {
  std::string name = "COPPICE_";
  for (const char c : key)
    name += c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  return name;
}

std::string allowed_values(const Setting& setting) {
  switch (setting.type) {
    case SettingType::kText:
      return "a text";
    case SettingType::kInteger:
      return fmt::format("an integer from {} to {}", setting.minimum, setting.maximum);
    case SettingType::kChoice: {
      std::vector<std::string> choices = split(setting.choices, '|');
      for (std::string& choice : choices) choice = "'" + choice + "'";
      return join(choices, " or ");
    }
    case SettingType::kFolder:
      return "the absolute path of a folder";
    case SettingType::kRetention:
      return "a number of versions ('10') or an age ('30 days')";
    case SettingType::kUrl:
      return "an http or https URL";
    case SettingType::kSecret:
      return "a reference: env:NAME, file:/path or cmd:program arguments";
    case SettingType::kMoney:
      return "an amount of money: digits with at most nine decimals, '12.50'";
    case SettingType::kCalendar:
      return std::string(schedule::kCalendarWords);
    case SettingType::kDuration:
      return "a duration: '45 seconds', '10 minutes', '12 hours', '90 days'";
  }
  return {};
}

std::optional<std::string> refusal(const Setting& setting, std::string_view text) {
  if (text.empty() && setting.default_value.empty()) return std::nullopt;
  bool allowed = true;
  switch (setting.type) {
    case SettingType::kText:
      break;
    case SettingType::kInteger: {
      const std::optional<std::int64_t> value = to_integer(text);
      allowed = value && *value >= setting.minimum && *value <= setting.maximum;
      break;
    }
    case SettingType::kChoice: {
      const std::vector<std::string> choices = split(setting.choices, '|');
      allowed = std::find(choices.begin(), choices.end(), text) != choices.end();
      break;
    }
    case SettingType::kFolder:
      allowed = text.front() == '/';
      break;
    case SettingType::kRetention:
      allowed = is_retention(text);
      break;
    case SettingType::kUrl:
      allowed =
          starts_with_ignoring_case(text, "https://") || starts_with_ignoring_case(text, "http://");
      break;
    case SettingType::kSecret:
      allowed = !secret_reference_refusal(text);
      break;
    case SettingType::kMoney:
      allowed = Money::parse(text).has_value();
      break;
    case SettingType::kDuration:
      allowed = duration_us(text).has_value();
      break;
    case SettingType::kCalendar:
      allowed = schedule::Calendar::parse(text).has_value();
      break;
  }
  if (allowed) return std::nullopt;
  return fmt::format("{} is '{}' but must be {}", setting.key, masked(setting, text),
                     allowed_values(setting));
}

bool is_retention(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::optional<std::int64_t> count = to_integer(text.substr(0, digits));
  if (!count || *count < 1 || *count > 1'000'000'000) return false;
  std::string unit = lower(trim(text.substr(digits)));
  if (unit.ends_with('s')) unit.pop_back();
  constexpr std::string_view kUnits[] = {"", "hour", "day", "week", "month", "year"};
  return std::find(std::begin(kUnits), std::end(kUnits), unit) != std::end(kUnits);
}

std::string masked(const Setting& setting, std::string_view text) {
  if (setting.type == SettingType::kSecret && !text.empty()) return printable_reference(text);
  return setting.secret || setting.type == SettingType::kUrl ? mask_password(text)
                                                             : std::string(text);
}

std::string mask_password(std::string_view url_or_conninfo) {
  std::string text(url_or_conninfo);
  const std::size_t scheme = text.find("://");
  if (scheme == std::string::npos) return mask_parameter(text, "password=", " \t\n");
  // The user part ends at the last '@' before the path: a password may hold an '@' itself.
  const std::size_t begin = scheme + 3;
  const std::size_t path = std::min(text.find_first_of("/?", begin), text.size());
  const std::size_t at = text.rfind('@', path);
  const std::size_t colon = text.find(':', begin);
  if (at != std::string::npos && at > begin && colon < at)
    text.replace(colon + 1, at - colon - 1, "***");
  return mask_parameter(text, "password=", "&");
}

}  // namespace coppice
