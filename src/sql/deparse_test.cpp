#include "sql/deparse.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <set>
#include <sstream>

#include "sql/classify.h"

namespace coppice::sql {
namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// The statements of the corpus that no text reads back as; use text() for them.
const std::set<std::string> kNotWritten = {"BEGIN ATOMIC", "NULLS NOT DISTINCT", "SKIP LOCKED",
                                           "HOUR TO MINUTE"};

bool is_not_written(std::string_view text) {
  for (const std::string& part : kNotWritten) {
    if (text.find(part) != std::string_view::npos) return true;
  }
  return false;
}

TEST(Deparse, RoundTripsEveryStatementOfTheCorpus) {
  std::size_t count = 0;
  for (const std::string name : {"copy", "design", "dml", "select", "table"}) {
    const std::string script =
        read_file(std::filesystem::path(COPPICE_SQL_CORPUS) / (name + ".sql"));
    for (Statement& statement : parse(script)) {
      SCOPED_TRACE(statement.text());
      std::string text;
      try {
        text = deparse(statement.node());
      } catch (const Error& error) {
        const bool has_it = classify(statement).kind != StatementKind::kRefused;
        EXPECT_TRUE(!has_it || is_not_written(statement.text())) << error.what();
        continue;
      }
      ++count;
      Statement again = parse_statement(text);
      // COPY has two forms of its options, CSV HEADER and WITH (header 'true'): the second is
      // stable.
      if (statement.node_case() == PG_QUERY__NODE__NODE_COPY_STMT) {
        const std::string second = deparse(again.node());
        EXPECT_EQ(deparse(parse_statement(second).node()), second);
      } else {
        EXPECT_TRUE(equal(again.node(), statement.node())) << text;
      }
    }
  }
  EXPECT_GT(count, 230u);
}

// Where libpg_query's deparser alone gives other SQL than the tree, without an error.
TEST(Deparse, KeepsTheMeaningWhereTheLibraryLosesIt) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"SELECT (a + b) AT TIME ZONE c", "SELECT ((a + b) AT TIME ZONE c)"},
      {"SELECT (ARRAY[1, 2])[1]", "SELECT ((ARRAY[1, 2])[1])"},
      {"UPDATE t SET (c, d) = (SELECT 1, 2), e = 5", "UPDATE t SET (c, d) = (SELECT 1, 2), e = 5"},
      {"COPY t FROM 'a.parquet' WITH (format parquet, on_error 'ignore', n 3)",
       "COPY t FROM 'a.parquet' WITH (format 'parquet', on_error 'ignore', n 3)"},
      {"COPY (SELECT 1) TO STDOUT WITH (format csv, force_quote *)", ""},
      {"SHOW ALL", "SHOW ALL"},
      {"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'select $x$a$x$'", ""},
  };
  for (const auto& [text, expected] : cases) {
    Statement statement = parse_statement(text);
    const std::string written = deparse(statement.node());
    if (!expected.empty()) {
      EXPECT_EQ(written, expected);
    }
    EXPECT_TRUE(equal(parse_statement(written).node(), statement.node()) ||
                statement.node_case() == PG_QUERY__NODE__NODE_COPY_STMT)
        << written;
  }
}

TEST(Deparse, WritesExpressionsAlone) {
  EXPECT_EQ(
      deparse_expression(parse_expression("resize( frame_at(clip,1.0) , width=>320 )").node()),
      "resize(frame_at(clip, 1.0), width := 320)");
  EXPECT_EQ(deparse_expression(parse_expression("a::INT + $1").node()), "a::int + $1");
}

TEST(Deparse, WritesOptionsAndWhereOfCopy) {
  Statement copy = parse_statement(
      "COPY \"Odd\".t (a, \"B c\") FROM STDIN CSV HEADER DELIMITER ';' NULL 'it''s' WHERE a > 1");
  EXPECT_EQ(deparse(copy.node()),
            "COPY \"Odd\".t (a, \"B c\") FROM STDIN WITH (format 'csv', header 'true', delimiter "
            "';', \"null\" 'it''s') WHERE a > 1");
}

// Found by the fuzzer: the library's deparser crashes on this tree.
TEST(Deparse, SurvivesACopyOptionWithoutValue) {
  Statement copy = parse_statement("COPY t TO 'x.csv' WITH (FORMAT, FORCE_QUOTE *)");
  EXPECT_EQ(deparse(copy.node()), "COPY t TO 'x.csv' WITH (format, force_quote *)");
}

TEST(Deparse, KeepsParameterNumbers) {
  Statement statement = parse_statement("SELECT $b, $a, $b");
  rewrite_top_down(statement.root(), [&](Node*& slot) {
    auto* const parameter = as<PgQuery__ParamRef>(slot);
    if (parameter) parameter->number = 10 - parameter->number;
    return Visit::kInto;
  });
  EXPECT_EQ(deparse(statement.node()), "SELECT $9, $8, $9");
}

TEST(Deparse, RefusesWhatItCannotWrite) {
  for (const std::string text : {"CREATE TABLE t (a int, UNIQUE NULLS NOT DISTINCT (a))",
                                 "CREATE TABLE t (a text COMPRESSION lz4)",
                                 "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END",
                                 "VACUUM t", "EXPLAIN EXECUTE p"}) {
    Statement statement = parse_statement(text);
    try {
      deparse(statement.node());
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    }
  }
}

// Random expressions, each operand in parentheses as chance wills it: every one must be written,
// and read back as itself.
class ExpressionMaker {
 public:
  std::string make(int depth) {
    if (depth == 0) return atom();
    const auto operand = [&] {
      const std::string text = make(depth - 1 - below(2) % depth);
      return below(2) == 0 ? "(" + text + ")" : text;
    };
    static const std::vector<std::string> kOperators = {"+",
                                                        "-",
                                                        "*",
                                                        "/",
                                                        "%",
                                                        "^",
                                                        "||",
                                                        "=",
                                                        "<",
                                                        "<>",
                                                        ">=",
                                                        "->",
                                                        "->>",
                                                        "@>",
                                                        "<=>",
                                                        "~",
                                                        "AND",
                                                        "OR",
                                                        "LIKE",
                                                        "NOT ILIKE",
                                                        "IS DISTINCT FROM",
                                                        "AT TIME ZONE",
                                                        "OPERATOR(pg_catalog.+)",
                                                        "SIMILAR TO"};
    switch (below(16)) {
      case 0:
        return "NOT " + operand();
      case 1:
        return "- " + operand();
      case 2:
        return "(" + operand() + ")::int";
      case 3:
        return operand() + " COLLATE \"C\"";
      case 4:
        return operand() + " IS NOT NULL";
      case 5:
        return operand() + " BETWEEN (" + operand() + ") AND (" + operand() + ")";
      case 6:
        return operand() + " IN (" + operand() + ", " + operand() + ")";
      case 7:
        return "CASE WHEN " + operand() + " THEN " + operand() + " ELSE " + operand() + " END";
      case 8:
        return "f(" + operand() + ", x => " + operand() + ")";
      case 9:
        return "(ARRAY[" + operand() + "])[" + operand() + "]";
      case 10:
        return "(" + operand() + ", " + operand() + ")";
      case 11:
        return operand() + " IS TRUE";
      default:
        return operand() + " " + kOperators[below(kOperators.size())] + " " + operand();
    }
  }

 private:
  std::string atom() {
    static const std::vector<std::string> kAtoms = {
        "a",
        "t.b",
        "1",
        "2.5",
        "-3",
        "'x'",
        "NULL",
        "true",
        "$1",
        "now()",
        "(SELECT 1)",
        "ARRAY[1, 2]",
        "current_date",
        "interval '1 day'",
        "coalesce(a, b)",
        "extract(year FROM c)",
        "count(*) FILTER (WHERE a) OVER (PARTITION BY b)"};
    return kAtoms[below(kAtoms.size())];
  }
  std::size_t below(std::size_t limit) { return random_() % limit; }

  std::mt19937_64 random_{15};
};

TEST(Deparse, WritesRandomExpressions) {
  ExpressionMaker maker;
  std::size_t parsed = 0;
  for (int i = 0; i < 3'000; ++i) {
    const std::string text = maker.make(1 + i % 4);
    std::optional<Statement> expression;
    try {
      expression = parse_expression(text);
    } catch (const Error&) {
      continue;  // operators that do not associate
    }
    ++parsed;
    std::string written;
    ASSERT_NO_THROW(written = deparse_expression(expression->node())) << text;
    ASSERT_TRUE(equal(parse_expression(written).node(), expression->node())) << text << written;
  }
  EXPECT_GT(parsed, 1'500u);
}

}  // namespace
}  // namespace coppice::sql
