#include "engine/function_settings.h"

#include <fmt/core.h>

#include <array>
#include <charconv>
#include <functional>

#include "base/error.h"
#include "base/text.h"

namespace coppice::engine {
namespace {

using std::chrono::milliseconds;

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array kTimeUnits = {Unit{"ms", 1}, Unit{"s", 1'000}, Unit{"sec", 1'000},
                                   Unit{"min", 60'000}, Unit{"h", 3'600'000}};
constexpr std::array kSizeUnits = {
    Unit{"MB", std::uint64_t{1} << 20}, Unit{"GB", std::uint64_t{1} << 30},
    Unit{"MiB", std::uint64_t{1} << 20}, Unit{"GiB", std::uint64_t{1} << 30}};

[[noreturn]] void refuse(const std::string& name, const std::string& value,
                         const std::string& wanted) {
  throw Error(ErrorCode::kUsage, fmt::format("SET {} = '{}': {}", name, value, wanted));
}

std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::uint64_t bounded(const std::string& name, const std::string& value, std::uint64_t low,
                      std::uint64_t high) {
  const auto number = whole_number(value);
  if (!number || *number < low || *number > high) {
    refuse(name, value, fmt::format("a whole number from {} to {} is wanted", low, high));
  }
  return *number;
}

// "30s" in the smallest of the units.
template <std::size_t kCount>
std::uint64_t with_unit(const std::string& name, const std::string& value,
                        const std::array<Unit, kCount>& units, const std::string& wanted) {
  const std::size_t digits = value.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string::npos) refuse(name, value, wanted);
  const std::string unit(trim(value.substr(digits)));
  const auto number = whole_number(value.substr(0, digits));
  for (const Unit& known : units) {
    if (known.name != unit || !number || *number == 0 || *number > 1'000'000) continue;
    return *number * known.factor;
  }
  refuse(name, value, wanted);
}

std::vector<std::filesystem::path> existing_paths(const std::string& name,
                                                  const std::string& value) {
  std::vector<std::filesystem::path> paths;
  for (const std::string& item : split(value, ':')) {
    const std::filesystem::path path(item);
    if (!path.is_absolute() || !std::filesystem::exists(path)) {
      refuse(name, value,
             fmt::format("\"{}\" is not the absolute path of a file or folder; several are "
                         "separated by colons",
                         item));
    }
    paths.push_back(path);
  }
  return paths;
}

std::vector<std::string> devices(const std::string& value) {
  std::vector<std::string> numbers = split(value, ',');
  for (std::string& number : numbers) {
    number = trim(number);
    if (!whole_number(number)) refuse("gpu", value, "numbers of devices are wanted: '0' or '0,1'");
    if (std::filesystem::exists("/dev/nvidia" + number)) continue;
    throw Error(
        ErrorCode::kUnsupported,
        fmt::format("SET gpu = '{}': this machine has no device /dev/nvidia{}", value, number),
        "leave SET gpu out: the function then runs without");
  }
  return numbers;
}

bool is_on(const std::string& name, const std::string& value) {
  const std::string word = lower(value);
  if (word == "on" || word == "true" || word == "1") return true;
  if (word == "off" || word == "false" || word == "0") return false;
  refuse(name, value, "on or off is wanted");
}

struct Reader {
  std::string name;
  std::function<void(const std::string& value, FunctionSettings&)> read;
};

const std::vector<Reader>& readers() {
  constexpr std::uint64_t kMostRows = 2048;  // what the engine has under way at one time
  static const auto* const all = new std::vector<Reader>{
      {"batch",
       [](const auto& value, auto& to) { to.batch = bounded("batch", value, 1, kMostRows); }},
      {"timeout",
       [](const auto& value, auto& to) {
         to.timeout = milliseconds(
             with_unit("timeout", value, kTimeUnits, "a time with its unit is wanted: '30s'"));
       }},
      {"workers",
       [](const auto& value, auto& to) {
         to.workers = static_cast<int>(bounded("workers", value, 1, 1024));
       }},
      {"memory",
       [](const auto& value, auto& to) {
         to.memory_bytes =
             with_unit("memory", value, kSizeUnits, "a size with its unit is wanted: '2GB'");
       }},
      {"network", [](const auto& value, auto& to) { to.network = is_on("network", value); }},
      {"gpu", [](const auto& value, auto& to) { to.gpu = devices(value); }},
      {"files", [](const auto& value, auto& to) { to.files = existing_paths("files", value); }},
      {"python",
       [](const auto& value, auto& to) { to.python = existing_paths("python", value).front(); }},
      {"call_price",
       [](const auto& value, auto& to) { to.prices.call = amount_setting("call_price", value); }},
      {"budget", [](const auto& value, auto& to) { to.budget = amount_setting("budget", value); }},
  };
  return *all;
}

}  // namespace

FunctionSettings read_function_settings(const SettingTexts& texts, FunctionLanguage language) {
  FunctionSettings settings;
  for (const auto& [name, value] : texts) {
    const Reader* found = nullptr;
    std::vector<std::string> names;
    for (const Reader& reader : readers()) {
      const bool of_python = reader.name == "python" || reader.name == "batch";
      if (of_python && language != FunctionLanguage::kPython) continue;
      names.push_back(reader.name);
      if (reader.name == name) found = &reader;
    }
    if (found == nullptr) {
      const std::string meant = did_you_mean(name, names);
      throw Error(ErrorCode::kUsage,
                  fmt::format("LANGUAGE {} has no setting \"{}\"", language_name(language), name),
                  meant.empty() ? "there are: " + join(names, ", ") : meant);
    }
    found->read(value, settings);
  }
  check_budget_has_price(settings.budget, settings.prices);
  return settings;
}

}  // namespace coppice::engine
