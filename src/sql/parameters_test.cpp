#include "sql/parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sql/deparse.h"
#include "sql/parse.h"

namespace coppice::sql {
namespace {

using testing::HasSubstr;
using Names = std::vector<std::string>;

TEST(Parameters, AreNumberedByFirstAppearance) {
  const NumberedText numbered("SELECT $b, $a, $b WHERE x = $a||$c");
  EXPECT_EQ(numbered.text(), "SELECT $1, $2, $1 WHERE x = $2||$3");
  EXPECT_EQ(numbered.names(), (Names{"b", "a", "c"}));
}

TEST(Parameters, AreLeftAloneInStringsCommentsAndNames) {
  const std::string text =
      "SELECT '$a', $$ $b $$, $x$ $c $x$, \"$d\", e$f, E'\\'$g' -- $h\n /* $i */";
  const NumberedText numbered(text);
  EXPECT_EQ(numbered.text(), text);
  EXPECT_TRUE(numbered.names().empty());
  EXPECT_TRUE(find_parameters(text).empty());
}

TEST(Parameters, MayBePositions) {
  const NumberedText numbered("SELECT $2, $name, $1, $2");
  EXPECT_EQ(numbered.text(), "SELECT $1, $2, $3, $1");
  EXPECT_EQ(numbered.names(), (Names{"2", "name", "1"}));
  EXPECT_NO_THROW(check_parameters("SELECT $1 + $2", {"1", "2"}));
}

TEST(Parameters, OfFunctionBodiesStayWhatTheyAre) {
  const std::string text = "CREATE FUNCTION f(int, int) RETURNS int LANGUAGE sql RETURN $2 - $1";
  EXPECT_EQ(NumberedText(text).text(), text);
  EXPECT_TRUE(find_parameters("SELECT 1; " + text).empty());
  EXPECT_NE(deparse(parse_statement(text).node()).find("$2 - $1"), std::string::npos);
}

TEST(Parameters, MapPlacesBack) {
  const std::string text = "SELECT $long_name + $x - y";
  const NumberedText numbered(text);
  for (const std::string mark : {"SELECT", "+", "-", "y"}) {
    EXPECT_EQ(numbered.source_offset(numbered.text().find(mark)), text.find(mark)) << mark;
  }
  EXPECT_EQ(numbered.source_offset(numbered.text().find("$2")), text.find("$x"));
  EXPECT_EQ(numbered.source_offset(numbered.text().find("$1") + 1), text.find("$long"));
  EXPECT_EQ(numbered.source_offset(numbered.text().size()), text.size());
}

TEST(Parameters, BelongToTheirStatement) {
  const auto statements = parse("SELECT $a, $b; SELECT 1; SELECT $b");
  EXPECT_EQ(statements[0].parameters(), (Names{"a", "b"}));
  EXPECT_TRUE(statements[1].parameters().empty());
  EXPECT_EQ(statements[2].parameters(), (Names{"b"}));
  EXPECT_EQ(statements[2].text(), "SELECT $b");
  EXPECT_EQ(deparse(statements[2].node()), "SELECT $1");
}

TEST(Parameters, MustAllBeGivenAndUsed) {
  try {
    check_parameters("SELECT 1;\nSELECT $titel", {"title"});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.message(), HasSubstr("$titel has no value (line 2, column 8)"));
    EXPECT_THAT(error.hint(), HasSubstr("title"));
  }
  try {
    check_parameters("SELECT $title", {"title", "tilte"});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("\"tilte\""));
    EXPECT_THAT(error.hint(), HasSubstr("title"));
  }
  EXPECT_NO_THROW(check_parameters("SELECT $a; SELECT $b, $a", {"b", "a"}));
}

TEST(Parameters, AreAtMostWhatTheProtocolCarries) {
  std::string text = "SELECT 1";
  for (int i = 0; i < 65'536; ++i) text += ",$p" + std::to_string(i);
  EXPECT_THROW(parse_statement(text), Error);
}

}  // namespace
}  // namespace coppice::sql
