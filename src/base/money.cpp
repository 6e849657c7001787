#include "base/money.h"

#include <algorithm>

#include "base/error.h"

namespace coppice {
namespace {

constexpr int kDecimals = 15;
constexpr std::size_t kMostWritten = 9;        // decimals that a user may write
constexpr std::size_t kMostWholeWritten = 12;  // digits in front of them
constexpr std::size_t kMostWhole = 22;
constexpr std::int64_t kUnitsPerOne = 1'000'000'000'000'000;
constexpr std::int64_t kMillion = 1'000'000;
constexpr std::size_t kShownDecimals = 2;

bool all_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

struct Parts {
  std::string_view whole, decimals;
};

std::optional<Parts> parts_of(std::string_view text) {
  const std::size_t point = text.find('.');
  Parts parts{text.substr(0, point),
              point == std::string_view::npos ? std::string_view() : text.substr(point + 1)};
  if (!all_digits(parts.whole) || !all_digits(parts.decimals)) return std::nullopt;
  if (parts.whole.empty() && parts.decimals.empty()) return std::nullopt;
  return parts;
}

}  // namespace

std::optional<Money> Money::parse(std::string_view text) {
  const auto parts = parts_of(text);
  if (!parts || parts->decimals.size() > kMostWritten || parts->whole.size() > kMostWholeWritten) {
    return std::nullopt;
  }
  return read(text);
}

Money Money::read(std::string_view text) {
  const bool negative = text.starts_with('-');
  auto parts = parts_of(text.substr(negative ? 1 : 0));
  while (parts && parts->decimals.size() > kDecimals && parts->decimals.back() == '0') {
    parts->decimals.remove_suffix(1);
  }
  if (!parts || parts->decimals.size() > kDecimals || parts->whole.size() > kMostWhole) {
    throw Error(ErrorCode::kInvalidInput, "\"" + std::string(text) + "\" is not an amount");
  }
  Units units = 0;
  for (const char c : parts->whole) units = units * 10 + (c - '0');
  for (int i = 0; i < kDecimals; ++i) {
    const auto at = static_cast<std::size_t>(i);
    units = units * 10 + (at < parts->decimals.size() ? parts->decimals[at] - '0' : 0);
  }
  return Money(negative ? -units : units);
}

std::string Money::text() const {
  Units left = units_ < 0 ? -units_ : units_;
  std::string digits;
  for (int i = 0; i <= kDecimals || left > 0; ++i) {
    if (i == kDecimals) digits += '.';
    digits += static_cast<char>('0' + static_cast<int>(left % 10));
    left /= 10;
  }
  digits.erase(0, digits.find_first_not_of('0'));
  if (digits.front() == '.') digits.erase(0, 1);
  if (units_ < 0) digits += '-';
  std::reverse(digits.begin(), digits.end());
  return digits;
}

std::string Money::shown() const {
  std::string digits = text();
  const std::size_t point = digits.find('.');
  const std::size_t decimals = point == std::string::npos ? 0 : digits.size() - point - 1;
  if (point == std::string::npos) digits += '.';
  if (decimals < kShownDecimals) digits.append(kShownDecimals - decimals, '0');
  return digits;
}

double Money::approximate() const {
  return static_cast<double>(units_) / static_cast<double>(kUnitsPerOne);
}

// Nine decimals are whole billionths; a millionth of one is a unit.
Money Money::of_million(std::int64_t count) const { return Money(units_ / kMillion * count); }

std::int64_t Money::times(const Money& price) const {
  COPPICE_ASSERT(price.units_ > 0);
  if (units_ < 0) return 0;
  const Units count = units_ / price.units_;
  return static_cast<std::int64_t>(std::min<Units>(count, std::int64_t{1} << 62));
}

Money Money::share(std::int64_t number, std::int64_t parts) const {
  const Units rest = units_ % parts;
  return Money(units_ / parts + (number < rest ? 1 : 0));
}

Money& Money::operator+=(const Money& other) {
  units_ += other.units_;
  return *this;
}

Money& Money::operator-=(const Money& other) {
  units_ -= other.units_;
  return *this;
}

Money operator*(const Money& price, std::int64_t count) { return Money(price.units_ * count); }

}  // namespace coppice
