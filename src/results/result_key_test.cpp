// Keys are a format: those of docs/formats/durable_results.md, and what must tell calls apart.
#include "results/result_key.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <vector>

namespace coppice {
namespace {

Value integer(std::int64_t number) {
  Value value;
  value.type = ValueType::kInteger;
  value.integer = number;
  return value;
}

Value number(double number) {
  Value value;
  value.type = ValueType::kFloat;
  value.number = number;
  return value;
}

Value text(std::string text, ValueType type = ValueType::kText) {
  Value value;
  value.type = type;
  value.text = std::move(text);
  return value;
}

ResultKey key(const DurableFunction& function, const std::vector<Value>& values) {
  std::vector<const Value*> arguments;
  for (const Value& value : values) arguments.push_back(&value);
  return result_key(function, arguments);
}

TEST(ResultKey, IsThatOfTheFormatPage) {
  EXPECT_EQ(to_hex(key({"public.twice(bigint)", "c0de"}, {integer(21)})),
            "e5f0eaa13e0d690585472e06335fa2492d082bc328e43482906beaa9117fb065");
}

TEST(ResultKey, TellsCallsApart) {
  const DurableFunction f{"public.f(text,text)", "1"};
  std::set<ResultKey> keys = {
      key(f, {text("a"), text("b")}),
      key(f, {text("ab"), text("")}),
      key(f, {text(""), text("ab")}),
      key(f, {text("a"), text("b", ValueType::kJson)}),
      key({"public.f(text,text)", "2"}, {text("a"), text("b")}),
      key({"public.g(text,text)", "1"}, {text("a"), text("b")}),
      key(f, {integer(1)}),
      key(f, {number(1)}),
      key(f, {text("1")}),
      key(f, {number(std::numeric_limits<double>::quiet_NaN())}),
      key(f, {}),
  };
  EXPECT_EQ(keys.size(), 11U);
}

TEST(ResultKey, ZeroHasOneKeyWhateverItsSign) {
  const DurableFunction f{"public.f(float8)", "1"};
  EXPECT_EQ(key(f, {number(0.0)}), key(f, {number(-0.0)}));
}

TEST(ResultKey, ItsLockIsItsFirstEightBytes) {
  ResultKey bytes{};
  bytes[7] = 5;
  bytes[8] = 9;
  EXPECT_EQ(lock_number(bytes), 5);
  bytes[0] = 0xff;
  EXPECT_LT(lock_number(bytes), 0);
}

}  // namespace
}  // namespace coppice
