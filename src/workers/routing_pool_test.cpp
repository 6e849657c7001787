#include "workers/routing_pool.h"

#include <gtest/gtest.h>

namespace coppice {
namespace {

// Gives its own name, and the sum of the arguments, for every row.
class NamingPool final : public FunctionPool {
 public:
  explicit NamingPool(std::string name) : name_(std::move(name)) {}

  BatchResult evaluate(const std::vector<Fragment>& fragments, const Batch& batch,
                       std::stop_token) override {
    ++calls;
    argument_count = batch.arguments.size();
    BatchResult results;
    for (const Fragment& fragment : fragments) {
      std::vector<Cell>& cells = results.emplace_back();
      for (std::size_t row = 0; row < batch.row_count; ++row) {
        std::int64_t sum = 0;
        for (const Fragment& child : fragment.children) {
          sum += batch.arguments[static_cast<std::size_t>(child.argument)][row].integer;
        }
        Value value;
        value.type = ValueType::kText;
        value.text = name_ + ":" + fragment.function + "=" + std::to_string(sum);
        cells.emplace_back(value);
      }
    }
    return results;
  }

  int calls = 0;
  std::size_t argument_count = 0;

 private:
  std::string name_;
};

Fragment call(const std::string& function, std::vector<int> arguments) {
  Fragment fragment;
  fragment.function = function;
  for (const int argument : arguments) {
    fragment.children.emplace_back().argument = argument;
  }
  return fragment;
}

Value number(std::int64_t integer) {
  Value value;
  value.type = ValueType::kInteger;
  value.integer = integer;
  return value;
}

class RoutingPoolTest : public ::testing::Test {
 protected:
  NamingPool first_{"first"}, second_{"second"};
  RoutingPool pool_{[this](const std::string& function) -> FunctionPool& {
    return function.starts_with("mine") ? second_ : first_;
  }};
  Batch batch_{2, {{number(1), number(2)}, {number(10), number(20)}, {number(100), number(200)}}};

  static std::string text(const Cell& cell) { return std::get<Value>(cell).text; }
};

TEST_F(RoutingPoolTest, FragmentsOfOnePoolGoToItTogether) {
  const BatchResult results = pool_.evaluate({call("a", {0}), call("b", {1})}, batch_, {});
  EXPECT_EQ(text(results[0][0]), "first:a=1");
  EXPECT_EQ(text(results[1][1]), "first:b=20");
  EXPECT_EQ(first_.calls, 1);
  EXPECT_EQ(second_.calls, 0);
}

TEST_F(RoutingPoolTest, EachPoolGetsItsFragmentsAndTheArgumentsTheyRead) {
  const BatchResult results =
      pool_.evaluate({call("a", {0}), call("mine", {2, 1}), call("b", {0})}, batch_, {});
  EXPECT_EQ(text(results[0][1]), "first:a=2");
  EXPECT_EQ(text(results[1][0]), "second:mine=110");
  EXPECT_EQ(text(results[1][1]), "second:mine=220");
  EXPECT_EQ(text(results[2][0]), "first:b=1");
  EXPECT_EQ(first_.calls, 1);
  EXPECT_EQ(first_.argument_count, 1U);
  EXPECT_EQ(second_.argument_count, 2U);
}

}  // namespace
}  // namespace coppice
