#include "engine/complete.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/test_context.h"

namespace coppice::engine {
namespace {

class Complete : public ::testing::Test {
 protected:
  Complete() {
    home_.run(
        "CREATE SCHEMA films; CREATE TABLE films.film (id int, title text, poster image); "
        "CREATE TABLE note (body text); CREATE VIEW titles AS SELECT title FROM films.film");
  }
  bool offers(const std::string& text, const std::string& name) {
    const std::vector<std::string> names = complete_text(*home_, text);
    return std::find(names.begin(), names.end(), name) != names.end();
  }
  TestContext home_;
};

TEST_F(Complete, RelationsFollowTheWordsThatNameThem) {
  for (const char* text : {"SELECT * FROM ", "INSERT INTO ", "UPDATE ", "DROP TABLE ",
                           "SELECT 1; SELECT * FROM note JOIN "}) {
    EXPECT_TRUE(offers(text, "films.film")) << text;
    EXPECT_TRUE(offers(text, "note")) << text;
    EXPECT_TRUE(offers(text, "titles")) << text;
    EXPECT_FALSE(offers(text, "title")) << text;
  }
  EXPECT_TRUE(offers("SELECT * FROM films.", "film"));
  EXPECT_FALSE(offers("SELECT * FROM films.", "note"));
}

TEST_F(Complete, ColumnsAreOfTheTablesNamed) {
  EXPECT_TRUE(offers("SELECT title FROM films.film WHERE pos", "poster"));
  EXPECT_FALSE(offers("SELECT title FROM films.film WHERE ", "body"));
  EXPECT_TRUE(offers("SELECT * FROM films.film f, note AS n WHERE n.", "body"));
  EXPECT_FALSE(offers("SELECT * FROM films.film f, note AS n WHERE n.", "title"));
  EXPECT_TRUE(offers("SELECT bo", "body"));  // nothing is named yet
}

TEST_F(Complete, FunctionsAndKeywordsByPosition) {
  EXPECT_TRUE(offers("SELECT res", "resize("));
  EXPECT_TRUE(offers("sel", "SELECT"));
  EXPECT_FALSE(offers("sel", "FROM"));
  EXPECT_TRUE(offers("SELECT * FROM note wh", "WHERE"));
  EXPECT_TRUE(offers("CREATE TABLE t (a im", "image"));
}

TEST_F(Complete, WhatIsNoNameGetsNoAnswerAndNoError) {
  EXPECT_TRUE(complete_text(*home_, "SELECT nowhere.").empty());
  EXPECT_NO_THROW(complete_text(*home_, "SELECT 'open string"));
  EXPECT_NO_THROW(complete_text(*home_, ""));
}

}  // namespace
}  // namespace coppice::engine
