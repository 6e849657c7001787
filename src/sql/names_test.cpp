#include "sql/names.h"

#include <gtest/gtest.h>
#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>

#include "base/error.h"
#include "sql/keywords.h"
#include "sql/parse.h"
#include "sql/read.h"
#include "sql/references.h"

namespace coppice::sql {
namespace {

TEST(Names, FollowPostgresqlsRules) {
  EXPECT_EQ(parse_qualified_name("films.film"), (QualifiedName{"films", "film"}));
  EXPECT_EQ(parse_qualified_name("Film"), (QualifiedName{"", "film"}));
  EXPECT_EQ(parse_qualified_name(" \"Odd Name\" "), (QualifiedName{"", "Odd Name"}));
  EXPECT_EQ(parse_qualified_name("\"A\"\"b\".\"c.d\""), (QualifiedName{"A\"b", "c.d"}));
  EXPECT_EQ(parse_qualified_name("Été"), (QualifiedName{"", "Été"}));
  for (const std::string text : {"", ".", "a.", ".a", "a.b.c", "a b", "\"a", "\"\"", "1a", "a-b",
                                 "'a'", "a;", "a:3", "$1", "a\xFF"}) {
    EXPECT_THROW(parse_qualified_name(text), Error) << text;
  }
  EXPECT_THROW(parse_qualified_name(std::string(64, 'a')), Error);
  EXPECT_NO_THROW(parse_qualified_name(std::string(63, 'a')));
}

TEST(Names, CarryVersions) {
  const VersionedName film{{"films", "film"}, "3"};
  EXPECT_EQ(parse_versioned_name("films.\"film:3\""), film);
  EXPECT_EQ(parse_versioned_name("films.film:3"), film);
  EXPECT_EQ(parse_versioned_name("films.\"film\":3"), film);
  EXPECT_EQ(parse_versioned_name("\"film:2026-11-22 10:00+00\""),
            (VersionedName{{"", "film"}, "2026-11-22 10:00+00"}));
  EXPECT_EQ(parse_versioned_name("film:2026-11-22 10:00+00"),
            (VersionedName{{"", "film"}, "2026-11-22 10:00+00"}));
  EXPECT_EQ(parse_versioned_name("film"), (VersionedName{{"", "film"}, std::nullopt}));
  for (const std::string text : {"film:", "\"film:\"", "\":3\"", "a.b.\"c:3\"", ":3"}) {
    EXPECT_THROW(parse_versioned_name(text), Error) << text;
  }
}

TEST(Names, NameColumns) {
  const ColumnName column = parse_column_name("films.film.\"Clip\"");
  EXPECT_EQ(column.table, (QualifiedName{"films", "film"}));
  EXPECT_EQ(column.column, "Clip");
  EXPECT_EQ(parse_column_name("film.clip").table, (QualifiedName{"", "film"}));
  EXPECT_THROW(parse_column_name("clip"), Error);
  EXPECT_THROW(parse_column_name("a.b.c.d"), Error);
}

TEST(Names, AreQuotedWhereNeeded) {
  EXPECT_EQ(quote_identifier("film_2"), "film_2");
  EXPECT_EQ(quote_identifier("Film"), "\"Film\"");
  EXPECT_EQ(quote_identifier("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(quote_identifier("select"), "\"select\"");
  EXPECT_EQ(quote_identifier("between"), "\"between\"");
  EXPECT_EQ(quote_identifier("value"), "value");
  EXPECT_EQ(quote_identifier("2a"), "\"2a\"");
  EXPECT_EQ(quote_identifier("été"), "\"été\"");
  EXPECT_EQ((QualifiedName{"Films", "table"}).text(), "\"Films\".\"table\"");
}

TEST(Names, LiteralsReadBack) {
  for (const std::string text : {"", "it's", "a\\b", "\\'", "$$", "é\n"}) {
    EXPECT_EQ(string_value(parse_expression(quote_literal(text)).node()), text);
  }
}

int keyword_kind(std::string_view word) {
  PgQueryScanResult raw = pg_query_scan(std::string(word).c_str());
  int kind = -1;
  if (!raw.error) {
    auto* const result = pg_query__scan_result__unpack(
        nullptr, raw.pbuf.len, reinterpret_cast<const std::uint8_t*>(raw.pbuf.data));
    if (result->n_tokens == 1) kind = result->tokens[0]->keyword_kind;
    pg_query__scan_result__free_unpacked(result, nullptr);
  }
  pg_query_free_scan_result(raw);
  return kind;
}

TEST(Keywords, AreThoseOfTheScanner) {
  for (const std::string_view word : quoted_keywords()) {
    EXPECT_GE(keyword_kind(word), PG_QUERY__KEYWORD_KIND__COL_NAME_KEYWORD) << word;
    EXPECT_TRUE(needs_quotes(word)) << word;
  }
  for (const std::string_view word : unreserved_keywords()) {
    EXPECT_EQ(keyword_kind(word), PG_QUERY__KEYWORD_KIND__UNRESERVED_KEYWORD) << word;
    EXPECT_FALSE(needs_quotes(word)) << word;
  }
  // All of them: the scanner's tokens are named after its keywords.
  std::size_t known = 0;
  const ProtobufCEnumDescriptor& tokens = pg_query__token__descriptor;
  for (unsigned i = 0; i < tokens.n_values; ++i) {
    std::string word = tokens.values[i].name;
    for (char& c : word) c = static_cast<char>(std::tolower(c));
    if (word.ends_with("_p")) word.resize(word.size() - 2);
    if (keyword_kind(word) > 0) ++known;
  }
  EXPECT_EQ(known, quoted_keywords().size() + unreserved_keywords().size());
}

std::vector<std::string> relations_of(const std::string& text) {
  Statement statement = parse_statement(text);
  std::vector<std::string> names;
  for (const RelationUse& use : collect_relations(statement.node())) {
    names.push_back((use.is_target ? ">" : "") + relation_name(*use.relation).text());
    EXPECT_GE(use.relation->location, 0);
  }
  return names;
}

TEST(References, FindRelationsInEveryPlace) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(relations_of("SELECT (SELECT 1 FROM a) FROM b JOIN s.c ON EXISTS (SELECT 1 FROM d), "
                         "LATERAL (SELECT * FROM e) x WHERE f IN (TABLE g) ORDER BY (TABLE h)"),
            (Names{"a", "b", "s.c", "d", "e", "g", "h"}));
  EXPECT_EQ(
      relations_of("INSERT INTO a SELECT * FROM b ON CONFLICT DO NOTHING RETURNING (TABLE c)"),
      (Names{">a", "b", "c"}));
  EXPECT_EQ(relations_of("UPDATE a SET x = (TABLE b) FROM c, d WHERE e"),
            (Names{">a", "b", "c", "d"}));
  EXPECT_EQ(relations_of("DELETE FROM a USING b, c"), (Names{">a", "b", "c"}));
  EXPECT_EQ(relations_of("CREATE TABLE a AS SELECT * FROM b"), (Names{"b", ">a"}));
  EXPECT_EQ(relations_of("CREATE VIEW a AS SELECT * FROM b TABLESAMPLE system (1)"),
            (Names{">a", "b"}));
  EXPECT_EQ(relations_of("CREATE TABLE a (x int REFERENCES b)"), (Names{">a", "b"}));
  EXPECT_EQ(relations_of("COPY a FROM STDIN"), (Names{">a"}));
  EXPECT_EQ(relations_of("COPY a TO STDOUT"), (Names{"a"}));
  EXPECT_EQ(relations_of("TRUNCATE a, b"), (Names{">a", ">b"}));
  EXPECT_EQ(relations_of("EXPLAIN SELECT * FROM \"film:3\""), (Names{"\"film:3\""}));
  EXPECT_EQ(relations_of("SELECT 1 FROM a UNION SELECT 2 FROM b"), (Names{"a", "b"}));
  EXPECT_EQ(relations_of("SELECT * FROM a AS x FOR UPDATE OF x"), (Names{"a"}));
}

TEST(References, RespectTheScopeOfWith) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(relations_of("WITH a AS (SELECT * FROM b) SELECT * FROM a, c"), (Names{"b", "c"}));
  // The name is not yet known inside of its own query, unless it is RECURSIVE.
  EXPECT_EQ(relations_of("WITH a AS (SELECT * FROM a) SELECT * FROM a"), (Names{"a"}));
  EXPECT_EQ(relations_of("WITH RECURSIVE a AS (SELECT 1 UNION SELECT * FROM a) TABLE a"), Names{});
  EXPECT_EQ(relations_of("WITH a AS (TABLE b), b AS (TABLE a) TABLE b"), (Names{"b"}));
  EXPECT_EQ(relations_of("WITH RECURSIVE a AS (TABLE b), b AS (TABLE a) TABLE b"), Names{});
  // Inner queries see it, and it ends with its statement.
  EXPECT_EQ(relations_of("WITH a AS (SELECT 1) SELECT (TABLE a) FROM (TABLE a) x"), Names{});
  EXPECT_EQ(relations_of("SELECT * FROM (WITH a AS (SELECT 1) TABLE a) x, a"), (Names{"a"}));
  // A schema says that it is a table; the target of a change is one always.
  EXPECT_EQ(relations_of("WITH a AS (SELECT 1) SELECT * FROM s.a"), (Names{"s.a"}));
  EXPECT_EQ(relations_of("WITH a AS (SELECT 1) INSERT INTO a TABLE a"), (Names{">a"}));
}

TEST(References, FindFunctionsAndColumns) {
  Statement statement = parse_statement(
      "SELECT resize(frame_at(f.clip, 1.0), 320) FROM films.film f, LATERAL frames(f.clip) WHERE "
      "duration(clip) > coalesce(x, 1)");
  std::vector<std::string> functions;
  for (const auto* call : collect_function_calls(statement.node())) {
    functions.push_back(function_name(*call).text());
  }
  EXPECT_EQ(functions, (std::vector<std::string>{"resize", "frame_at", "frames", "duration"}));
  EXPECT_EQ(collect_column_refs(statement.node()).size(), 4u);
}

}  // namespace
}  // namespace coppice::sql
