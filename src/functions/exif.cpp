#include "functions/exif.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"

namespace coppice::functions {
namespace {

// Reads numbers of either byte order; what lies outside the data is 0.
class TiffReader {
 public:
  explicit TiffReader(std::string_view data) : data_(data) {
    if (data_.starts_with(std::string_view("Exif\0\0", 6))) data_.remove_prefix(6);
    big_endian_ = data_.starts_with("MM");
    valid_ = (big_endian_ || data_.starts_with("II")) && u16(2) == 42;
  }
  bool valid() const { return valid_; }
  std::uint32_t u16(std::size_t at) const { return number(at, 2); }
  std::uint32_t u32(std::size_t at) const { return number(at, 4); }
  std::string_view bytes(std::size_t at, std::size_t size) const {
    return at <= data_.size() && size <= data_.size() - at ? data_.substr(at, size)
                                                           : std::string_view();
  }

 private:
  std::uint32_t number(std::size_t at, int size) const {
    const std::string_view raw = bytes(at, size);
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      const std::size_t index = big_endian_ ? i : raw.size() - 1 - i;
      value = value << 8 | static_cast<std::uint8_t>(raw[index]);
    }
    return value;
  }

  std::string_view data_;
  bool big_endian_ = false;
  bool valid_ = false;
};

struct Entry {
  std::uint32_t type = 0;
  std::uint32_t count = 0;
  std::size_t at = 0;  // where its values are
};
using Directory = std::map<std::uint32_t, Entry>;

enum TiffType : std::uint32_t { kAscii = 2, kShort = 3, kLong = 4, kRational = 5, kSigned = 10 };

std::size_t type_size(std::uint32_t type) {
  constexpr std::array<std::size_t, 13> kSizes = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8};
  return type < kSizes.size() ? kSizes[type] : 0;
}

Directory read_directory(const TiffReader& tiff, std::size_t at) {
  constexpr std::uint32_t kMostEntries = 512;
  Directory directory;
  const std::uint32_t count = std::min(tiff.u16(at), kMostEntries);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t entry_at = at + 2 + std::size_t{12} * i;
    if (tiff.bytes(entry_at, 12).empty()) break;
    Entry entry{tiff.u16(entry_at + 2), tiff.u32(entry_at + 4), entry_at + 8};
    if (type_size(entry.type) * entry.count > 4) entry.at = tiff.u32(entry.at);
    directory[tiff.u16(entry_at)] = entry;
  }
  return directory;
}

std::optional<double> number_of(const TiffReader& tiff, const Entry& entry, std::size_t index = 0) {
  if (index >= entry.count) return std::nullopt;
  const std::size_t at = entry.at + index * type_size(entry.type);
  if (tiff.bytes(at, type_size(entry.type)).empty()) return std::nullopt;
  if (entry.type == kShort) return tiff.u16(at);
  if (entry.type == kLong) return tiff.u32(at);
  if (entry.type != kRational && entry.type != kSigned) return std::nullopt;
  const bool is_signed = entry.type == kSigned;
  const auto part = [&](std::size_t offset) -> double {
    const std::uint32_t raw = tiff.u32(at + offset);
    return is_signed ? static_cast<double>(static_cast<std::int32_t>(raw)) : raw;
  };
  if (part(4) == 0) return std::nullopt;
  return part(0) / part(4);
}

std::optional<std::string> text_of(const TiffReader& tiff, const Entry& entry) {
  if (entry.type != kAscii) return std::nullopt;
  std::string_view raw = tiff.bytes(entry.at, entry.count);
  raw = trim(raw.substr(0, raw.find('\0')));
  if (raw.empty() || first_invalid_utf8(raw)) return std::nullopt;
  return std::string(raw);
}

// Degrees from the three rationals of a GPS directory and the letter of the hemisphere.
std::optional<double> degrees(const TiffReader& tiff, const Directory& gps,
                              std::uint32_t letter_tag, std::uint32_t tag) {
  const auto found = gps.find(tag);
  if (found == gps.end()) return std::nullopt;
  double value = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto part = number_of(tiff, found->second, i);
    if (!part) return std::nullopt;
    value += *part / std::pow(60.0, static_cast<double>(i));
  }
  const auto letter = gps.find(letter_tag);
  if (letter != gps.end()) {
    const auto text = text_of(tiff, letter->second);
    if (text && (*text == "S" || *text == "W")) value = -value;
  }
  return value;
}

struct Fact {
  std::uint32_t tag;
  const char* name;
};
constexpr std::array kMainFacts = {Fact{0x010e, "description"}, Fact{0x010f, "make"},
                                   Fact{0x0110, "model"},       Fact{0x0131, "software"},
                                   Fact{0x0132, "changed"},     Fact{0x013b, "artist"},
                                   Fact{0x8298, "copyright"}};
constexpr std::array kExifFacts = {Fact{0x829a, "exposure_seconds"},
                                   Fact{0x829d, "f_number"},
                                   Fact{0x8827, "iso"},
                                   Fact{0x9003, "taken"},
                                   Fact{0x9011, "taken_utc_offset"},
                                   Fact{0x920a, "focal_length_mm"},
                                   Fact{0xa405, "focal_length_35mm"},
                                   Fact{0xa434, "lens"}};

template <typename Facts>
void collect(const TiffReader& tiff, const Directory& directory, const Facts& facts,
             nlohmann::json& result) {
  for (const Fact& fact : facts) {
    const auto found = directory.find(fact.tag);
    if (found == directory.end()) continue;
    if (const auto text = text_of(tiff, found->second)) {
      result[fact.name] = *text;
    } else if (const auto number = number_of(tiff, found->second)) {
      result[fact.name] = *number;
    }
  }
}

Directory linked(const TiffReader& tiff, const Directory& main, std::uint32_t tag) {
  const auto found = main.find(tag);
  return found == main.end() ? Directory{} : read_directory(tiff, tiff.u32(found->second.at));
}

}  // namespace

int exif_orientation(std::string_view exif) {
  const TiffReader tiff(exif);
  if (!tiff.valid()) return 1;
  const Directory directory = read_directory(tiff, tiff.u32(4));
  const auto found = directory.find(0x0112);
  if (found == directory.end()) return 1;
  const double value = number_of(tiff, found->second).value_or(1);
  return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
}

nlohmann::json exif_facts(std::string_view exif) {
  nlohmann::json result = nlohmann::json::object();
  const TiffReader tiff(exif);
  if (!tiff.valid()) return result;
  const Directory main = read_directory(tiff, tiff.u32(4));
  collect(tiff, main, kMainFacts, result);
  collect(tiff, linked(tiff, main, 0x8769), kExifFacts, result);
  const Directory gps = linked(tiff, main, 0x8825);
  const auto latitude = degrees(tiff, gps, 1, 2);
  const auto longitude = degrees(tiff, gps, 3, 4);
  if (latitude && longitude) {
    result["latitude"] = *latitude;
    result["longitude"] = *longitude;
  }
  return result;
}

}  // namespace coppice::functions
