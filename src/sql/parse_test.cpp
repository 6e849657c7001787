#include "sql/parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "sql/read.h"
#include "sql/references.h"

namespace coppice::sql {
namespace {

using testing::HasSubstr;

Error error_of(const std::string& text) {
  try {
    parse(text);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error: " << text;
  return Error(ErrorCode::kInternal, "none");
}

std::vector<std::string> texts_of(std::string_view script) {
  std::vector<std::string> texts;
  for (const StatementText& statement : split(script)) texts.emplace_back(statement.text);
  return texts;
}

TEST(Split, CutsAtSemicolonsOutsideOfQuotesAndComments) {
  EXPECT_EQ(texts_of("SELECT ';'; -- a; b\n SELECT /* ; */ 2 /* end */;;; SELECT $$;$$, \";\""),
            (std::vector<std::string>{"SELECT ';'", "SELECT /* ; */ 2", "SELECT $$;$$, \";\""}));
  EXPECT_TRUE(split(" ;; -- nothing\n /* at all */ ").empty());
}

TEST(Split, KeepsSemicolonsInsideOfFunctionBodiesAndRules) {
  const std::string body =
      "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; "
      "SELECT 2; END";
  EXPECT_EQ(texts_of(body + "; SELECT 3"), (std::vector<std::string>{body, "SELECT 3"}));
  const std::string rule = "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)";
  EXPECT_EQ(texts_of(rule + ";SELECT 3"), (std::vector<std::string>{rule, "SELECT 3"}));
  // "begin" and "function" in other places are only names.
  EXPECT_EQ(texts_of("SELECT begin FROM function; SELECT 1").size(), 2u);
}

TEST(Split, KnowsThePlaceOfEachStatement) {
  const auto statements = split("SELECT 'é';\n  SELECT 2;\r\n\n SELECT 3");
  ASSERT_EQ(statements.size(), 3u);
  EXPECT_EQ(statements[1].offset, 15u);
  EXPECT_EQ(statements[1].start.line, 2u);
  EXPECT_EQ(statements[1].start.column, 3u);
  EXPECT_EQ(statements[2].start.line, 4u);
  EXPECT_TRUE(statements[1].terminated);
  EXPECT_FALSE(statements[2].terminated);
}

TEST(Split, TellsTheShellWhetherMoreMustFollow) {
  for (const std::string text : {"SELECT 1", "SELECT 'a;", "SELECT \"a;", "SELECT (1;", "/* ;",
                                 "SELECT $x$ ; $y$;", "SELECT 1; SELECT 2", "SELECT E'\\';"}) {
    EXPECT_TRUE(is_incomplete(text)) << text;
  }
  for (const std::string text : {"", "  ", "SELECT 1;", "SELECT 1; -- more", ";", "-- only words",
                                 "SELECT 1; /* done */", "SELECT 1);"}) {
    EXPECT_FALSE(is_incomplete(text)) << text;
  }
}

TEST(Parse, GivesEachStatementItsTextTreeAndPlace) {
  const auto statements = parse("-- first\nSELECT 1;\n INSERT INTO films.film VALUES (2) ;");
  ASSERT_EQ(statements.size(), 2u);
  EXPECT_EQ(statements[0].text(), "SELECT 1");
  EXPECT_EQ(statements[0].node_case(), PG_QUERY__NODE__NODE_SELECT_STMT);
  EXPECT_EQ(statements[1].text(), "INSERT INTO films.film VALUES (2)");
  EXPECT_EQ(statements[1].source_offset(), 20u);
  const auto* insert = as<PgQuery__InsertStmt>(statements[1].node());
  ASSERT_TRUE(insert);
  EXPECT_EQ(relation_name(*insert->relation), (QualifiedName{"films", "film"}));
  EXPECT_EQ(statements[1].text().substr(static_cast<std::size_t>(insert->relation->location), 5),
            "films");
}

TEST(Parse, MovesWithItsTree) {
  Statement first = parse_statement("SELECT a, b");
  const Node* const node = first.node();
  Statement second = std::move(first);
  EXPECT_EQ(second.node(), node);
  EXPECT_EQ(second.text(), "SELECT a, b");
  second = parse_statement("SELECT c");
  EXPECT_EQ(second.text(), "SELECT c");
}

TEST(Parse, TakesExactlyOneStatementOrExpression) {
  EXPECT_EQ(parse_statement(" SELECT 1 ; ").text(), "SELECT 1");
  EXPECT_THROW(parse_statement(""), Error);
  EXPECT_THROW(parse_statement("SELECT 1; SELECT 2"), Error);

  Statement expression = parse_expression("resize(frame_at(clip, 1.0), 320)");
  const auto* call = as<PgQuery__FuncCall>(expression.node());
  ASSERT_TRUE(call);
  EXPECT_EQ(call->location, 0);
  EXPECT_EQ(as<PgQuery__FuncCall>(call->args[0])->location, 7);
  for (const std::string text :
       {"", "a, b", "a FROM b", "a AS b", "a b", "*", "DISTINCT a", "ALL a", "a UNION SELECT b",
        "a; b", "a ORDER BY b", "a LIMIT 1", "a INTO b", "1) FROM (b", ";", "a WHERE b"}) {
    EXPECT_THROW(parse_expression(text), Error) << text;
  }
  EXPECT_NO_THROW(parse_expression("t.*"));
  EXPECT_NO_THROW(parse_expression("(SELECT a FROM b)"));
}

TEST(SyntaxError, ShowsLineColumnAndCaretInCharacters) {
  const Error error = error_of("SELECT 1;\nSELECT 'é', 'ü' FROM t WHERE ) -- comment\n");
  EXPECT_EQ(error.code(), ErrorCode::kSyntax);
  EXPECT_EQ(error.message(),
            "syntax error at or near \")\" (line 2, column 30)\n"
            "LINE 2: SELECT 'é', 'ü' FROM t WHERE )\n"
            "                                     ^");
}

TEST(SyntaxError, ShowsThePartOfALongLineAroundThePlace) {
  const std::string names = "aaa, bbb, ccc, ddd, eee, fff, ggg, hhh, iii, jjj, kkk, lll, mmm, nnn";
  const Error error = error_of("SELECT " + names + ", ), " + names);
  EXPECT_THAT(error.message(), HasSubstr("(line 1, column 78)"));
  const std::string message = error.message();
  const std::size_t line = message.find('\n') + 1;
  const std::size_t caret = message.find('\n', line) + 1;
  EXPECT_EQ(message[line + (message.find('^') - caret)], ')');
  EXPECT_LT(message.size(), 250u);
}

TEST(SyntaxError, NamesTheEndOfTheInput) {
  EXPECT_THAT(error_of("SELECT a FROM").message(),
              HasSubstr("at end of input (line 1, column 14)"));
  EXPECT_THAT(error_of("SELECT 'abc").message(), HasSubstr("unterminated quoted string"));
  EXPECT_THAT(error_of("SELECT 'abc").hint(), HasSubstr("close the string"));
}

TEST(SyntaxError, MapsPlacesBackOverParameters) {
  const Error error = error_of("SELECT $a_rather_long_name, $b, )");
  EXPECT_THAT(error.message(), HasSubstr("(line 1, column 33)"));
  EXPECT_THAT(error.message(), HasSubstr("$a_rather_long_name"));
}

TEST(SyntaxError, HintsAtWhatWasMeant) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"SELECT * FROM films@3", "\"films:3\""},
      {"SELECT * FROM films.film@3", "films.\"film:3\""},
      {"SELECT * FROM films:3", "\"films:3\""},
      {"SELECT * FROM films FOR SYSTEM_TIME AS OF 3", "\"film:3\""},
      {"SELECT :name", "$name"},
      {"CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a + 1))", "STORED"},
      {"CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a + 1), c int)", "STORED"},
      {"CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a + 1) VIRTUAL)", "STORED"},
      {"CREATE TABLE t (a int, b int AS (a + 1))", "GENERATED ALWAYS AS (expression) STORED"},
      {"CREATE TABLE t (a int, b GENERATED ALWAYS AS (a + 1) STORED)", "no type"},
      {"CREATE TABLE t (b image GENERATED ALWAYS AS (f(a)) STORED WITH (x = 1))", "OPTIONS"},
      {"ALTER TABLE t ALTER COLUMN a SET EXPRESSION AS (b)", "alter-column"},
      {"REVERT t TO 3", "coppice revert"},
      {"CREATE SNAPSHOT s OF t", "coppice snapshot"},
      {"DESCRIBE t", "coppice describe"},
      {"SHOW TABLES FROM t", "coppice ls"},
      {"SELECT `a` FROM t", "quoted"},
      {"INSERT OR REPLACE INTO t VALUES (1)", "ON CONFLICT"},
      {"CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT)", "IDENTITY"},
      {"CREATE TABLE t (a array<int>)", "integer[]"},
      {"SELECT json_object('a' : 1)", "jsonb_build_object"},
      {"SELECT TOP 5 a FROM t", "LIMIT"},
  };
  for (const auto& [text, hint] : cases)
    EXPECT_THAT(error_of(text).hint(), HasSubstr(hint)) << text;
}

TEST(SyntaxError, RefusesBytesThatAreNotText) {
  const Error latin = error_of("SELECT 1;\nSELECT 'caf\xE9'");
  EXPECT_EQ(latin.code(), ErrorCode::kInvalidInput);
  EXPECT_THAT(latin.message(), HasSubstr("0xe9"));
  EXPECT_THAT(latin.message(), HasSubstr("(line 2, column 12)"));
  const Error nul = error_of(std::string("SELECT '\0'", 10));
  EXPECT_THAT(nul.message(), HasSubstr("NUL"));
  EXPECT_THROW(parse_expression("\xFF"), Error);
  EXPECT_THROW(parse_statement("\xFF"), Error);
}

TEST(Parse, RunsOnManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 200; ++i) {
        EXPECT_EQ(parse("SELECT 1; SELECT a FROM b WHERE c = 'd'").size(), 2u);
        EXPECT_THROW(parse_statement("SELECT )"), Error);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Parse, AVersionMayMakeANameLongerThanTheParserTakes) {
  const std::string table(62, 'a');
  const std::string early = "\"" + table + ":2026-11-22 10:00+00\"";
  const std::string late = "\"" + table + ":2026-11-23 10:00+00\"";
  Statement statement = parse_statement("SELECT " + early + ".id, x.id FROM s." + early + ", " +
                                        late + " AS x WHERE $n");
  std::vector<std::string> names;
  std::vector<std::string> aliases;
  for (const RelationUse& use : collect_relations(statement.node())) {
    names.emplace_back(use.relation->relname);
    aliases.emplace_back(use.relation->alias->aliasname);
    EXPECT_EQ(statement.text()[static_cast<std::size_t>(use.relation->location)],
              use.relation->alias->aliasname[0] == 'x' ? '"' : 's');
  }
  EXPECT_EQ(names, (std::vector{table + ":2026-11-22 10:00+00", table + ":2026-11-23 10:00+00"}));
  EXPECT_EQ(aliases[1], "x");
  EXPECT_LE(aliases[0].size(), kMaxNameBytes);
  const auto& select = *as<PgQuery__SelectStmt>(statement.node());
  const auto* const target = as<PgQuery__ResTarget>(select.target_list[0]);
  const auto* const column = as<PgQuery__ColumnRef>(target->val);
  EXPECT_EQ(as<PgQuery__String>(column->fields[0])->sval, aliases[0]);
}

TEST(Parse, ALongVersionIsARelationAndItsTableFits) {
  const std::string version = ":2026-11-22 10:00+00";
  for (const std::string& text : {"SELECT 1 AS \"" + std::string(60, 'a') + version + "\"",
                                  "SELECT \"" + std::string(60, 'a') + version + "\" FROM t",
                                  "SELECT * FROM \"" + std::string(64, 'a') + version + "\"",
                                  "SELECT * FROM U&\"" + std::string(60, 'a') + version + "\""}) {
    EXPECT_THROW(parse_statement(text), Error) << text;
  }
}

}  // namespace
}  // namespace coppice::sql
