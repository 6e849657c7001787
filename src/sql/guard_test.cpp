#include "sql/guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include "sql/classify.h"
#include "sql/deparse.h"
#include "sql/parse.h"

namespace coppice::sql {
namespace {

using testing::HasSubstr;

std::string repeat(std::string_view text, std::size_t count) {
  std::string repeated;
  for (std::size_t i = 0; i < count; ++i) repeated += text;
  return repeated;
}

// head, then `open` n times, middle, then `close` n times.
struct Shape {
  std::string_view name;
  std::string_view head;
  std::string_view open;
  std::string_view middle;
  std::string_view close;

  std::string text(std::size_t count) const {
    return std::string(head) + repeat(open, count) + std::string(middle) + repeat(close, count);
  }
};

// Every way of making a tree deep, by its grammar.
const std::vector<Shape> kShapes = {
    {"plus", "SELECT 1", "+1", "", ""},
    {"concatenation", "SELECT a", "||a", "", ""},
    {"cast", "SELECT 1", "::int", "", ""},
    {"not", "SELECT ", "NOT ", "a", ""},
    {"minus", "SELECT ", "- ", "a", ""},
    {"parentheses", "SELECT ", "(", "1", ")"},
    {"nested plus", "SELECT ", "(1+", "1", ")"},
    {"nested and", "SELECT ", "(a AND b OR ", "c", ")"},
    {"call", "SELECT ", "f(", "1", ")"},
    {"call of and", "SELECT ", "f(a AND b OR ", "1", ")"},
    {"scalar subquery", "SELECT ", "(SELECT ", "1", ")"},
    {"subquery in from", "SELECT * FROM ", "(SELECT * FROM ", "t", ") x"},
    {"exists", "SELECT ", "EXISTS (SELECT ", "1", ")"},
    {"in subquery", "SELECT ", "a IN (SELECT ", "1", ")"},
    {"in list", "SELECT ", "a IN (", "1", ")"},
    {"case then", "SELECT ", "CASE WHEN a THEN ", "1", " END"},
    {"case when", "SELECT ", "CASE WHEN ", "1", " THEN 1 END"},
    {"case operand", "SELECT ", "CASE ", "1", " WHEN 1 THEN 1 END"},
    {"case else", "SELECT ", "CASE WHEN a THEN b ELSE ", "1", " END"},
    {"case with end as a name", "SELECT ", "CASE a.end WHEN ", "1", " THEN 1 END"},
    {"array", "SELECT ARRAY", "[", "1", "]"},
    {"subscript", "SELECT ", "a[", "1", "]"},
    {"union", "SELECT 1", " UNION SELECT 1", "", ""},
    {"union of lists", "SELECT 1, 2", " UNION ALL SELECT 1, 2", "", ""},
    {"join", "SELECT * FROM t", " JOIN t ON a AND b", "", ""},
    {"cross join", "SELECT * FROM t", " CROSS JOIN t", "", ""},
    {"right-nested join", "SELECT * FROM t", " JOIN t", "", " ON true"},
    {"join in parentheses", "SELECT * FROM ", "(t JOIN ", "t", " ON true)"},
    {"collate", "SELECT a", " COLLATE \"C\"", "", ""},
    {"at time zone", "SELECT a", " AT TIME ZONE 'x'", "", ""},
    {"long name", "SELECT a", ".b", "", ""},
    {"with", "", "WITH x AS (", "SELECT 1", ") SELECT 1"},
    {"window", "SELECT ", "f() OVER (ORDER BY ", "1", ")"},
    {"row", "SELECT ", "ROW(", "1", ")"},
    {"between", "SELECT ", "x BETWEEN 1 AND NOT ", "a", ""},
    {"coalesce", "SELECT ", "coalesce(", "1", ")"},
    {"cast function", "SELECT ", "CAST(", "1", " AS int)"},
    {"qualified operator", "SELECT 1", " OPERATOR(pg_catalog.+) 1", "", ""},
    {"rows from", "SELECT * FROM ROWS FROM (f(", "f(", "1", ")"},
    {"xml", "SELECT ", "xmlelement(name x, ", "1", ")"},
    {"view", "CREATE VIEW v AS SELECT 1", "+1", "", ""},
    {"values", "SELECT ", "(VALUES (", "1", "))"},
    {"grouping sets", "SELECT 1 GROUP BY ", "GROUPING SETS (", "a", ")"},
    {"any array", "SELECT ", "a = ANY (ARRAY[", "1", "])"},
    {"named argument", "SELECT ", "f(a := ", "1", ")"},
    {"filter", "SELECT ", "f() FILTER (WHERE ", "1", ")"},
    {"within group", "SELECT ", "f(1) WITHIN GROUP (ORDER BY ", "1", ")"},
    {"field of a row", "SELECT ", "(", "a", ").b"},
    {"generated", "CREATE TABLE t (a int GENERATED ALWAYS AS (", "f(", "b", ")"},
};

// Runs `work` on a thread with a stack of this size, as a server's small worker thread has it.
template <class Work>
void on_stack(std::size_t stack_bytes, const Work& work) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, stack_bytes), 0);
  pthread_t thread{};
  const auto run = [](void* argument) -> void* {
    (*static_cast<const Work*>(argument))();
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, run, const_cast<Work*>(&work)), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

// Everything that is done to a statement; errors of the guard and grammar are fine, crashes not.
bool survives(const std::string& text) {
  try {
    Statement statement = parse_statement(text);
    classify(statement);
    Arena arena;
    EXPECT_TRUE(equal(clone(arena, statement.node()), statement.node()));
    deparse(statement.node());
    return true;
  } catch (const Error& error) {
    EXPECT_TRUE(error.code() == ErrorCode::kUnsupported || error.code() == ErrorCode::kSyntax)
        << error.what();
    return false;
  }
}

TEST(Guard, BoundsTheDepthOfEveryShape) {
  for (const Shape& shape : kShapes) {
    for (const std::size_t count : {1, 2, 3, 10, 100}) {
      std::string text = shape.text(count);
      if (shape.name == "rows from") text += "))";
      if (shape.name == "generated") text += ") STORED)";
      SCOPED_TRACE(text.substr(0, 60));
      Statement statement = parse_statement(text);
      EXPECT_LE(message_depth(message_of(statement.node())), check_statement({text}).depth);
    }
  }
}

TEST(Guard, NothingCrashesOnSmallStacks) {
  for (const std::size_t stack_bytes : {std::size_t{256} << 10, std::size_t{512} << 10}) {
    on_stack(stack_bytes, [] {
      for (const Shape& shape : kShapes) {
        SCOPED_TRACE(shape.name);
        for (const std::size_t count : {1, 9, 20, 49, 450}) survives(shape.text(count));
      }
    });
  }
}

TEST(Guard, NothingCrashesAtTheLimitsAndFarBeyond) {
  on_stack(512 << 10, [] {
    for (const Shape& shape : kShapes) {
      SCOPED_TRACE(shape.name);
      for (const std::size_t count : {1'200, 100'000}) survives(shape.text(count));
    }
    EXPECT_TRUE(survives("SELECT 1" + repeat("+1", 4'900)));
    EXPECT_TRUE(survives("SELECT * FROM t" + repeat(" JOIN t ON true", 4'900)));
  });
}

TEST(Guard, RefusesWhatIsTooDeepWithItsPlace) {
  const auto message_of_error = [](const std::string& text) {
    try {
      parse(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
      EXPECT_FALSE(error.hint().empty());
      return error.message();
    }
    return std::string("no error");
  };
  EXPECT_THAT(message_of_error("SELECT 1" + repeat("+1", 100'000)), HasSubstr("5000 operators"));
  EXPECT_THAT(message_of_error("SELECT 1" + repeat("+1", 100'000)), HasSubstr("(line 1, column "));
  EXPECT_THAT(message_of_error("SELECT " + repeat("abs(", 10'000) + "1" + repeat(")", 10'000)),
              HasSubstr("nested more than 500 levels deep (line 1, column 2011)"));
  EXPECT_THAT(message_of_error("SELECT " + repeat("(", 10'000) + "1" + repeat(")", 10'000)),
              HasSubstr("nests more than 5000 operators (line 1, column 500"));
  // A chain as it is written back.
  EXPECT_EQ(message_of_error("SELECT " + repeat("(", 2'000) + "1" + repeat(" + 1)", 2'000)),
            "no error");
  // Many chains inside each other, each of them allowed.
  std::string nested = "SELECT 1";
  for (int i = 0; i < 50; ++i) nested = "SELECT (" + nested + ")" + repeat("+1", 400);
  EXPECT_THAT(message_of_error(nested), HasSubstr("5000 operators"));
}

TEST(Guard, AcceptsLongListsAndConditions) {
  std::string values = "INSERT INTO t VALUES (0, 'x', -1)";
  for (int i = 1; i < 20'000; ++i) values += ", (" + std::to_string(i) + ", 'x', -1 + 2)";
  EXPECT_NO_THROW(parse_statement(values));
  std::string list = "SELECT * FROM t WHERE a IN (0";
  for (int i = 1; i < 50'000; ++i) list += "," + std::to_string(i);
  EXPECT_NO_THROW(parse_statement(list + ")"));
  std::string conditions = "SELECT * FROM t WHERE a = 0";
  for (int i = 1; i < 20'000; ++i)
    conditions += i % 2 == 0 ? " OR a = 1" : " AND a BETWEEN 1 AND 2";
  on_stack(512 << 10, [&] { EXPECT_TRUE(survives(conditions)); });
  EXPECT_NO_THROW(
      parse_statement("SELECT CASE" + repeat(" WHEN a > 1 THEN 1 + 2", 20'000) + " END"));
  EXPECT_NO_THROW(
      parse_statement("CREATE TABLE t (a int" + repeat(", a int NOT NULL", 1'600) + ")"));
}

TEST(Guard, LimitsTheSizeOfAStatementNotOfAScript) {
  const ParseOptions limits{.limits = {.statement_bytes = 100}};
  EXPECT_EQ(parse(repeat("SELECT 1;\n", 1'000), limits).size(), 1'000u);
  try {
    parse("SELECT 1;\nSELECT '" + std::string(100, 'x') + "'", limits);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("line 2"));
    EXPECT_THAT(error.hint(), HasSubstr("COPY"));
  }
  const std::string large = "SELECT '" + std::string(17 << 20, 'x') + "'";
  EXPECT_THROW(parse_statement(large), Error);
}

TEST(Guard, StreamsALargeScript) {
  const std::string row = "INSERT INTO t VALUES (1, 'a;b', $$c;d$$); -- e;f\n";
  const std::string script = repeat(row, (50 << 20) / row.size());
  Splitter splitter(script);
  std::size_t count = 0;
  std::size_t last_line = 0;
  while (const auto statement = splitter.next()) {
    ++count;
    last_line = statement->start.line;
  }
  EXPECT_EQ(count, script.size() / row.size());
  EXPECT_EQ(last_line, count);
}

TEST(Guard, RefusesNamesThatPostgresqlWouldCut) {
  const std::string long_name(64, 'a');
  EXPECT_THROW(parse_statement("SELECT " + long_name), Error);
  EXPECT_THROW(parse_statement("SELECT \"" + long_name + "\""), Error);
  EXPECT_THROW(parse_statement("SELECT \"" + repeat("\xC3\xA9", 32) + "\""), Error);
  EXPECT_NO_THROW(parse_statement("SELECT " + long_name.substr(1)));
  EXPECT_NO_THROW(parse_statement("SELECT \"" + repeat("\"\"", 63) + "\""));
  EXPECT_NO_THROW(parse_statement("SELECT '" + long_name + "'"));
}

TEST(Guard, RefusesParameterNumbersThatWouldWrapAround) {
  EXPECT_THROW(parse_statement("SELECT $0"), Error);
  EXPECT_THROW(parse_statement("SELECT $4294967297"), Error);
  EXPECT_NO_THROW(parse_statement("SELECT $65535"));
}

}  // namespace
}  // namespace coppice::sql
