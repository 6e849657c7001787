#include "schedule/zone.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "schedule/zone_rule.h"

namespace coppice::schedule {
namespace {

constexpr std::int64_t kDayS = 86'400;

// Reads big-endian numbers one after another.
class Bytes {
 public:
  Bytes(std::string_view bytes, const std::string& name) : rest_(bytes), name_(name) {}

  std::string_view take(std::size_t count) {
    if (count > rest_.size()) fail();
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  std::int64_t number(std::size_t size_bytes) {
    const std::string_view bytes = take(size_bytes);
    std::uint64_t value = (bytes[0] & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    for (const char byte : bytes) value = (value << 8) | static_cast<unsigned char>(byte);
    return static_cast<std::int64_t>(value);
  }
  std::size_t count() {
    constexpr std::int64_t kMost = 100'000;
    const std::int64_t value = number(4);
    if (value < 0 || value > kMost) fail();
    return static_cast<std::size_t>(value);
  }
  std::string_view rest() const { return rest_; }
  [[noreturn]] void fail() const {
    throw Error(ErrorCode::kIntegrity,
                fmt::format("the file of the time zone {} is damaged", name_),
                "install it again: the package tzdata");
  }

 private:
  std::string_view rest_;
  const std::string& name_;
};

struct Header {
  char version = 0;
  std::size_t utc_flags = 0, standard_flags = 0, leaps = 0, times = 0, types = 0, letters = 0;
};

Header read_header(Bytes& bytes) {
  Header header;
  if (bytes.take(4) != "TZif") bytes.fail();
  header.version = bytes.take(1)[0];
  bytes.take(15);
  header.utc_flags = bytes.count();
  header.standard_flags = bytes.count();
  header.leaps = bytes.count();
  header.times = bytes.count();
  header.types = bytes.count();
  header.letters = bytes.count();
  return header;
}

bool is_name(std::string_view name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("/_+-").find(c) != std::string_view::npos;
  });
  return plain && !name.empty() && name.front() != '/';
}

}  // namespace

Zone Zone::named(const std::string& name, const std::filesystem::path& folder) {
  if (lower(name) == "utc") return {};
  if (!is_name(name)) {
    throw Error(ErrorCode::kUsage, fmt::format("\"{}\" is no name of a time zone", name),
                "write UTC, local, or a name like Europe/Berlin");
  }
  const bool local = name == "local";
  const std::filesystem::path file = local ? "/etc/localtime" : folder / name;
  // Without that file a system's clock is in UTC.
  if (local && !std::filesystem::exists(file)) return {};
  if (!std::filesystem::is_regular_file(file)) {
    throw Error(ErrorCode::kNotFound,
                fmt::format("there is no time zone \"{}\" in {}", name, folder.string()),
                "zones are named like Europe/Berlin; the package tzdata has them");
  }
  return parse(read_file(file), name);
}

Zone Zone::parse(std::string_view content, const std::string& name) {
  Bytes bytes(content, name);
  Header header = read_header(bytes);
  std::size_t time_bytes = 4;
  if (header.version >= '2') {
    bytes.take(header.times * 5 + header.types * 6 + header.letters + header.leaps * 8 +
               header.standard_flags + header.utc_flags);
    header = read_header(bytes);
    time_bytes = 8;
  }
  if (header.types == 0) bytes.fail();
  Zone zone;
  for (std::size_t i = 0; i < header.times; ++i) {
    zone.changes_.push_back({bytes.number(time_bytes), 0});
  }
  const std::string_view kinds = bytes.take(header.times);
  std::vector<std::int64_t> offsets_s;
  for (std::size_t i = 0; i < header.types; ++i) {
    offsets_s.push_back(bytes.number(4));
    bytes.take(2);
  }
  zone.first_offset_s_ = offsets_s[0];
  for (std::size_t i = 0; i < header.times; ++i) {
    const auto kind = static_cast<unsigned char>(kinds[i]);
    if (kind >= offsets_s.size()) bytes.fail();
    zone.changes_[i].offset_s = offsets_s[kind];
    if (i > 0 && zone.changes_[i].at_s <= zone.changes_[i - 1].at_s) bytes.fail();
  }
  if (time_bytes == 4) return zone;
  bytes.take(header.letters + header.leaps * 12 + header.standard_flags + header.utc_flags);
  std::string_view footer = bytes.rest();
  if (footer.size() < 2 || footer.front() != '\n' || footer.back() != '\n') bytes.fail();
  footer = footer.substr(1, footer.size() - 2);
  if (footer.empty()) return zone;
  zone.rule_ = parse_zone_rule(footer);
  if (!zone.rule_) bytes.fail();
  return zone;
}

std::int64_t Zone::offset_s(std::int64_t utc_s) const {
  const auto after = std::upper_bound(
      changes_.begin(), changes_.end(), utc_s,
      [](std::int64_t time_s, const Change& change) { return time_s < change.at_s; });
  if (after == changes_.end() && rule_) return rule_->offset_s(utc_s);
  return after == changes_.begin() ? first_offset_s_ : std::prev(after)->offset_s;
}

std::int64_t Zone::utc_s(std::int64_t local_s) const {
  // No zone is a day away from UTC, and none changes twice within two days.
  const std::int64_t before_s = offset_s(local_s - kDayS);
  const std::int64_t after_s = offset_s(local_s + kDayS);
  if (this->local_s(local_s - before_s) == local_s) return local_s - before_s;
  if (this->local_s(local_s - after_s) == local_s) return local_s - after_s;
  return local_s - before_s;
}

}  // namespace coppice::schedule
