#include "base/money.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace coppice {
namespace {

Money money(std::string_view text) { return *Money::parse(text); }

TEST(Money, IsWrittenAsItWasRead) {
  for (const char* text : {"0", "15", "0.002", "0.000000001", "999999999999.999999999"}) {
    EXPECT_EQ(money(text).text(), text);
  }
  EXPECT_EQ(money("1.50").text(), "1.5");
  EXPECT_EQ(money(".5").text(), "0.5");
  EXPECT_EQ(money("15").shown(), "15.00");
  EXPECT_EQ(money("0.002").shown(), "0.002");
  EXPECT_EQ(Money::read("-0.500000000000000000").text(), "-0.5");
  EXPECT_EQ((money("1") - money("1.25")).shown(), "-0.25");
}

TEST(Money, RefusesWhatIsNoAmount) {
  for (const char* text :
       {"", ".", "-1", "+1", "NaN", "1e3", "1,5", "0.0000000001", "1 ", "inf", "1000000000000"}) {
    EXPECT_FALSE(Money::parse(text)) << text;
  }
  EXPECT_THROW(Money::read("NaN"), Error);
}

TEST(Money, AddsExactlyWhatBinaryFractionsDoNot) {
  Money sum;
  for (int i = 0; i < 1000; ++i) sum += money("0.001");
  EXPECT_EQ(sum, money("1"));
  EXPECT_EQ(money("0.1") + money("0.2"), money("0.3"));
}

TEST(Money, PricesTokensExactly) {
  EXPECT_EQ(money("0.0375").of_million(1).text(), "0.0000000375");
  EXPECT_EQ(money("0.000000001").of_million(1).text(), "0.000000000000001");
  EXPECT_EQ(money("15").of_million(2'000'000), money("30"));
}

TEST(Money, TellsHowManyCallsItPays) {
  EXPECT_EQ(money("1").times(money("0.3")), 3);
  EXPECT_EQ(money("0.3").times(money("0.1")), 3);
  EXPECT_EQ((money("1") - money("2")).times(money("0.1")), 0);
}

TEST(Money, SharesAddUp) {
  const Money whole = Money::read("0.000000000000010");
  Money sum;
  for (int i = 0; i < 3; ++i) sum += whole.share(i, 3);
  EXPECT_EQ(sum, whole);
}

}  // namespace
}  // namespace coppice
