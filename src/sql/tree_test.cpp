#include "sql/tree.h"

#include <gtest/gtest.h>

#include "sql/deparse.h"
#include "sql/make.h"
#include "sql/parse.h"
#include "sql/read.h"

namespace coppice::sql {
namespace {

std::size_t count_columns(Statement& statement) {
  std::size_t count = 0;
  walk(statement.node(), [&](Message& message) {
    if (as<PgQuery__ColumnRef>(message)) ++count;
    return Visit::kInto;
  });
  return count;
}

TEST(Walk, VisitsEveryMessageParentsFirst) {
  Statement statement =
      parse_statement("SELECT f(a, b) FROM t JOIN u ON t.c = u.d WHERE EXISTS (SELECT e)");
  EXPECT_EQ(count_columns(statement), 5u);
  std::vector<std::string> order;
  walk(statement.node(), [&](Message& message) {
    order.emplace_back(message.descriptor->short_name);
    return Visit::kInto;
  });
  EXPECT_EQ(order.front(), "SelectStmt");
  EXPECT_EQ(order[1], "ResTarget");
  EXPECT_EQ(order[2], "FuncCall");
}

TEST(Walk, SkipsAndStops) {
  Statement statement = parse_statement("SELECT f(a), b");
  std::size_t columns = 0;
  EXPECT_TRUE(walk(statement.node(), [&](Message& message) {
    if (as<PgQuery__ColumnRef>(message)) ++columns;
    return as<PgQuery__FuncCall>(message) ? Visit::kSkip : Visit::kInto;
  }));
  EXPECT_EQ(columns, 1u);
  EXPECT_FALSE(walk(statement.node(), [](Message&) { return Visit::kStop; }));
}

TEST(Rewrite, ReplacesNodesInPlace) {
  Statement statement = parse_statement("SELECT a, f(a) FROM t WHERE a > 1 ORDER BY a");
  rewrite_top_down(statement.root(), [&](Node*& slot) {
    if (!as<PgQuery__ColumnRef>(slot)) return Visit::kInto;
    slot = make::column(statement.arena(), {"x", "b"});
    return Visit::kSkip;
  });
  EXPECT_EQ(deparse(statement.node()), "SELECT x.b, f(x.b) FROM t WHERE x.b > 1 ORDER BY x.b");
}

TEST(Rewrite, WrapsFromTheBottomUp) {
  Statement statement = parse_expression("f(g(a))");
  rewrite_bottom_up(statement.root(), [&](Node*& slot) {
    if (as<PgQuery__FuncCall>(slot)) {
      slot = make::function_call(statement.arena(), "", "w", std::span(&slot, 1));
    }
  });
  EXPECT_EQ(deparse_expression(statement.node()), "w(f(w(g(a))))");
}

TEST(Rewrite, ReplacesTheRoot) {
  Statement statement = parse_expression("a");
  rewrite_top_down(statement.root(), [&](Node*& slot) {
    slot = make::null_constant(statement.arena());
    return Visit::kSkip;
  });
  EXPECT_TRUE(is_null_constant(statement.node()));
}

TEST(Clone, IsEqualAndIndependent) {
  Statement statement = parse_statement("INSERT INTO t (a) VALUES (1, 'x', NULL, 2.5, true)");
  Arena arena;
  Node* const copy = clone(arena, statement.node());
  EXPECT_TRUE(equal(copy, statement.node()));
  copy->insert_stmt->relation->relname[0] = 'u';
  EXPECT_FALSE(equal(copy, statement.node()));
  EXPECT_EQ(deparse(statement.node()), "INSERT INTO t (a) VALUES (1, 'x', NULL, 2.5, true)");
  EXPECT_EQ(deparse(copy), "INSERT INTO u (a) VALUES (1, 'x', NULL, 2.5, true)");
}

TEST(Clone, OutlivesItsOriginal) {
  Arena arena;
  Node* copy = nullptr;
  {
    Statement statement = parse_statement("SELECT a.b, 'text' FROM c AS d");
    copy = clone(arena, statement.node());
  }
  EXPECT_EQ(deparse(copy), "SELECT a.b, 'text' FROM c d");
}

TEST(Equal, IgnoresLocationsAndNothingElse) {
  const auto same = [](const std::string& a, const std::string& b) {
    return equal(parse_statement(a).node(), parse_statement(b).node());
  };
  EXPECT_TRUE(same("SELECT a,b FROM t", "select  a ,  b\nfrom \"t\""));
  EXPECT_TRUE(same("SELECT f(a => 1)", "SELECT f(a := 1)"));
  EXPECT_FALSE(same("SELECT 1", "SELECT 2"));
  EXPECT_FALSE(same("SELECT 1", "SELECT '1'"));
  EXPECT_FALSE(same("SELECT 0", "SELECT NULL"));
  EXPECT_FALSE(same("SELECT a", "SELECT a, a"));
  EXPECT_FALSE(same("SELECT a", "SELECT DISTINCT a"));
  EXPECT_FALSE(same("SELECT a FROM t", "SELECT a FROM s.t"));
  EXPECT_FALSE(same("SELECT (a + b) * c", "SELECT a + b * c"));
  EXPECT_FALSE(same("SELECT 1", "DELETE FROM t"));
}

TEST(Locations, AreOffsetsIntoTheUsersText) {
  Statement statement = parse_statement("SELECT $first, $second + b");
  std::vector<std::string> seen;
  walk(statement.node(), [&](Message& message) {
    if (auto* parameter = as<PgQuery__ParamRef>(message)) {
      seen.emplace_back(statement.text().substr(static_cast<std::size_t>(parameter->location), 3));
    }
    if (auto* column = as<PgQuery__ColumnRef>(message)) {
      seen.emplace_back(statement.text().substr(static_cast<std::size_t>(column->location)));
    }
    return Visit::kInto;
  });
  EXPECT_EQ(seen, (std::vector<std::string>{"$fi", "$se", "b"}));
}

// What make builds must be what the parser builds from the same text.
void expect_same(Arena&, Node* made, const std::string& text) {
  const ParseOptions as_it_is{.limits = {}, .number_parameters = false};
  EXPECT_TRUE(equal(made, parse_expression(text, as_it_is).node())) << text;
  EXPECT_EQ(deparse_expression(made), text);
}

TEST(Make, BuildsWhatTheParserBuilds) {
  Arena arena;
  expect_same(arena, make::string_constant(arena, "it's \\"), "E'it''s \\\\'");
  expect_same(arena, make::integer_constant(arena, 7), "7");
  expect_same(arena, make::integer_constant(arena, -7), "-7");
  expect_same(arena, make::integer_constant(arena, 9'000'000'000), "9000000000");
  expect_same(arena, make::integer_constant(arena, -2'147'483'648), "-2147483648");
  expect_same(arena, make::boolean_constant(arena, true), "true");
  expect_same(arena, make::null_constant(arena), "NULL");
  expect_same(arena, make::parameter(arena, 3), "$3");
  expect_same(arena, make::column(arena, {"films", "Odd Name"}), "films.\"Odd Name\"");
  Node* const a = make::column(arena, {"a"});
  Node* const b = make::column(arena, {"b"});
  const std::vector<Node*> both{a, b};
  expect_same(arena, make::function_call(arena, "coppice", "f", both), "coppice.f(a, b)");
  expect_same(arena, make::function_call(arena, "", "f", {}), "f()");
  expect_same(arena, make::binary_operator(arena, "<=>", a, b), "a <=> b");
  expect_same(arena, make::and_of(arena, both), "a AND b");
  expect_same(arena, make::not_of(arena, a), "NOT a");
  expect_same(arena, make::is_null(arena, a), "a IS NULL");
  expect_same(arena, make::type_cast(arena, a, "numeric(10,2)"), "a::numeric(10, 2)");
  expect_same(arena, make::type_cast(arena, a, "image[]"), "a::image[]");
  EXPECT_EQ(make::and_of(arena, std::span(&both[0], 1)), a);
  const std::vector<Node*> nested{make::and_of(arena, both), a};
  expect_same(arena, make::and_of(arena, nested), "a AND b AND a");
}

TEST(Make, BuildsASelect) {
  Arena arena;
  PgQuery__SelectStmt* const inner = make::select(arena);
  const std::vector<Node*> targets{make::target(arena, make::column(arena, {"a"}), "x"),
                                   make::target(arena, make::star(arena))};
  make::set_list(arena, targets, inner->n_target_list, inner->target_list);
  Node* const from = make::wrap(arena, make::relation(arena, "films", "film", "f"));
  make::set_list(arena, std::span(&from, 1), inner->n_from_clause, inner->from_clause);
  PgQuery__SelectStmt* const outer = make::select(arena);
  make::set_list(arena, std::span(&targets[1], 1), outer->n_target_list, outer->target_list);
  Node* const source = make::subquery(arena, inner, "q");
  make::set_list(arena, std::span(&source, 1), outer->n_from_clause, outer->from_clause);
  EXPECT_EQ(deparse(make::wrap(arena, outer)),
            "SELECT * FROM (SELECT a AS x, * FROM films.film f) q");
}

TEST(Make, RefusesTextThatIsNotAType) {
  Arena arena;
  for (const std::string type :
       {"", "1", "int; DROP TABLE t", "int FROM t", "int + 1", "int::text", "int AS x", "a b"}) {
    EXPECT_THROW(make::type_name(arena, type), Error) << type;
  }
}

TEST(Read, WritesTypesAsPostgresqlDoes) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"int", "integer"},
      {"int8", "int8"},
      {"bigint", "bigint"},
      {"smallint", "smallint"},
      {"float", "double precision"},
      {"real", "real"},
      {"bool", "bool"},
      {"boolean", "boolean"},
      {"numeric", "numeric"},
      {"decimal(10, 2)", "numeric(10,2)"},
      {"varchar(20)", "character varying(20)"},
      {"char", "character(1)"},
      {"\"char\"", "\"char\""},
      {"bit(3)", "bit(3)"},
      {"bit varying(3)", "bit varying(3)"},
      {"timestamptz", "timestamptz"},
      {"timestamp(3) with time zone", "timestamp(3) with time zone"},
      {"timestamp", "timestamp without time zone"},
      {"time", "time without time zone"},
      {"interval", "interval"},
      {"interval(3)", "interval(3)"},
      {"interval day to second(2)", "interval day to second(2)"},
      {"interval year to month", "interval year to month"},
      {"image", "image"},
      {"films.\"Kind\"", "films.\"Kind\""},
      {"text[]", "text[]"},
      {"int[3][3]", "integer[]"},
      {"vector(384)", "vector(384)"},
      {"video(mp4, 'x')", "video(mp4,'x')"},
      {"jsonb", "jsonb"},
  };
  for (const auto& [written, expected] : cases) {
    Arena arena;
    EXPECT_EQ(type_text(*make::type_name(arena, written)), expected);
  }
}

TEST(Read, ReadsOptionsOfEveryForm) {
  Statement create = parse_statement(
      "CREATE TABLE t (a image OPTIONS (on_error 'ignore')) WITH (x.b = 3, c = 1.5, d = word, e, "
      "f = 'it''s', g = true, h = -2)");
  const auto* table = as<PgQuery__CreateStmt>(create.node());
  const auto options = options_in(table->n_options, table->options);
  std::vector<std::string> found;
  for (const Option& option : options) {
    found.push_back(option.space + "|" + option.name + "|" + option.value.value_or("(none)"));
  }
  EXPECT_EQ(found, (std::vector<std::string>{"x|b|3", "|c|1.5", "|d|word", "|e|(none)", "|f|it's",
                                             "|g|true", "|h|-2"}));
  const auto* column = as<PgQuery__ColumnDef>(table->table_elts[0]);
  const auto column_options = options_in(column->n_fdwoptions, column->fdwoptions);
  ASSERT_EQ(column_options.size(), 1u);
  EXPECT_EQ(column_options[0].name, "on_error");
  EXPECT_EQ(column_options[0].value, "ignore");
  EXPECT_EQ(create.text().substr(static_cast<std::size_t>(column_options[0].location), 8),
            "on_error");
}

TEST(Read, ReadsConstantsNamesAndObjects) {
  EXPECT_EQ(string_value(parse_expression("'a'").node()), "a");
  EXPECT_EQ(string_value(parse_expression("1").node()), std::nullopt);
  EXPECT_EQ(integer_value(parse_expression("-5").node()), -5);
  EXPECT_EQ(integer_value(parse_expression("9000000000").node()), 9'000'000'000);
  EXPECT_EQ(integer_value(parse_expression("1.5").node()), std::nullopt);
  EXPECT_EQ(integer_value(parse_expression("a").node()), std::nullopt);
  Statement call = parse_expression("S.F(a.B, t.*)");
  const auto* function = as<PgQuery__FuncCall>(call.node());
  EXPECT_EQ(function_name(*function), (QualifiedName{"s", "f"}));
  EXPECT_EQ(column_ref_names(*as<PgQuery__ColumnRef>(function->args[1])),
            (std::vector<std::string>{"t", "*"}));
  Statement drop = parse_statement("DROP TABLE films.film, u");
  const auto* objects = as<PgQuery__DropStmt>(drop.node());
  EXPECT_EQ(object_name(objects->objects[0]), (QualifiedName{"films", "film"}));
  EXPECT_EQ(object_name(objects->objects[1]), (QualifiedName{"", "u"}));
  Statement function_drop = parse_statement("DROP FUNCTION films.f(int)");
  EXPECT_EQ(object_name(as<PgQuery__DropStmt>(function_drop.node())->objects[0]),
            (QualifiedName{"films", "f"}));
}

}  // namespace
}  // namespace coppice::sql
