// Money: an amount, exact.
//
// Model    A whole number of quadrillionths (10^-15) of the unit that the user counts in: a price
//          for a million tokens with nine decimals makes a token's price a whole number of them. No
//          amount passes through binary fractions.
// Units    Which currency it is, is the user's word (config.toml, budget.currency).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coppice {

class Money {
 public:
  Money() = default;

  // "0.002", "15": digits with at most nine decimals, below 10^12. nullopt for anything else, also
  // for signs, exponents and NaN.
  static std::optional<Money> parse(std::string_view text);
  // What text() and PostgreSQL's numeric write: up to 15 decimals, perhaps a sign. Throws
  // kInvalidInput for anything else.
  static Money read(std::string_view text);

  // The shortest exact form: "0.002", "15", "-0.5".
  std::string text() const;
  // For people: exact, with two decimals at least: "15.00", "0.002".
  std::string shown() const;
  double approximate() const;

  bool is_zero() const { return units_ == 0; }
  bool is_negative() const { return units_ < 0; }
  // The price of `count` tokens when this is the price of a million.
  Money of_million(std::int64_t count) const;
  // How many times `price`, which is above zero, goes into this; 0 when this is negative.
  std::int64_t times(const Money& price) const;
  // One of `parts` shares that add up to this; they differ by one unit at most.
  Money share(std::int64_t number, std::int64_t parts) const;

  Money& operator+=(const Money& other);
  Money& operator-=(const Money& other);
  friend Money operator+(Money a, const Money& b) { return a += b; }
  friend Money operator-(Money a, const Money& b) { return a -= b; }
  friend Money operator*(const Money& price, std::int64_t count);
  auto operator<=>(const Money&) const = default;

 private:
  __extension__ using Units = __int128;
  explicit Money(Units units) : units_(units) {}

  Units units_ = 0;
};

}  // namespace coppice
