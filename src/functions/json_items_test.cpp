#include "functions/json_items.h"

#include <gtest/gtest.h>

#include "functions/failure.h"

namespace coppice::functions {
namespace {

using Items = std::vector<std::string_view>;

TEST(JsonItems, StayAsTheyAreWritten) {
  EXPECT_EQ(json_items("[12345678901234567890123, 0.10, -1e400]", "f()"),
            (Items{"12345678901234567890123", "0.10", "-1e400"}));
  EXPECT_EQ(json_items(R"( [ {"a": [1, 2], "b": "}]"} , [] , "x\",]\\" , null ] )", "f()"),
            (Items{R"({"a": [1, 2], "b": "}]"})", "[]", R"("x\",]\\")", "null"}));
}

TEST(JsonItems, OfAnEmptyArrayAreNone) {
  EXPECT_TRUE(json_items("[]", "f()").empty());
  EXPECT_TRUE(json_items(" [ ] ", "f()").empty());
}

TEST(JsonItems, AreOfArraysOnly) {
  for (const std::string_view text : {"{}", "1", "\"[1]\"", ""}) {
    EXPECT_THROW(json_items(text, "f()"), FunctionFailure) << text;
  }
  for (const std::string_view text :
       {"[", "[1", "[1,]", "[,1]", "[1,,2]", "[[1]", "[1]]", "[{]}]", "[\"a]", "[\"a\\\"]"}) {
    EXPECT_THROW(json_items(text, "f()"), FunctionFailure) << text;
  }
}

TEST(JsonItems, NullIsNoArray) {
  EXPECT_TRUE(is_json_null(" null "));
  EXPECT_FALSE(is_json_null("[null]"));
}

}  // namespace
}  // namespace coppice::functions
