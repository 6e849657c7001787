#include "sql/lexer.h"

#include <gtest/gtest.h>
#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace coppice::sql {
namespace {

struct Span {
  std::size_t begin;
  std::size_t end;
  bool operator==(const Span&) const = default;
};

std::vector<Token> tokens_of(std::string_view text) {
  std::vector<Token> tokens;
  Lexer lexer(text);
  for (Token token = lexer.next(); token.kind != TokenKind::kEnd; token = lexer.next()) {
    tokens.push_back(token);
  }
  return tokens;
}

std::vector<Span> our_spans(std::string_view text) {
  std::vector<Span> spans;
  for (const Token& token : tokens_of(text)) spans.push_back({token.begin, token.end});
  return spans;
}

// PostgreSQL's own tokens without comments; nullopt when its scanner refuses the text.
std::optional<std::vector<Span>> postgres_spans(const std::string& text) {
  PgQueryScanResult raw = pg_query_scan(text.c_str());
  std::optional<std::vector<Span>> spans;
  if (!raw.error) {
    auto* const result = pg_query__scan_result__unpack(
        nullptr, raw.pbuf.len, reinterpret_cast<const std::uint8_t*>(raw.pbuf.data));
    spans.emplace();
    for (std::size_t i = 0; i < result->n_tokens; ++i) {
      const PgQuery__ScanToken& token = *result->tokens[i];
      if (token.token == PG_QUERY__TOKEN__SQL_COMMENT ||
          token.token == PG_QUERY__TOKEN__C_COMMENT) {
        continue;
      }
      spans->push_back(
          {static_cast<std::size_t>(token.start), static_cast<std::size_t>(token.end)});
    }
    pg_query__scan_result__free_unpacked(result, nullptr);
  }
  pg_query_free_scan_result(raw);
  return spans;
}

const std::vector<std::string> kTexts = {
    "SELECT 1",
    "select a.b.c, 'it''s', E'it\\'s \\\\', $1, $$dollar ' quote$$, $tag$ $$ $tag$ from \"Odd "
    "\"\"Name\"",
    "SELECT 'a'\n  'b' -- comment\n 'c'",
    "SELECT 'a' -- comment\n  'b'",
    "SELECT 'a' 'b'",
    "SELECT 'a' /* x */ \n 'b'",
    "SELECT E'a\\'' \n 'b\\''",
    "SELECT 'a'\n-- last comment",
    "SELECT 'a'\n-- last comment\n",
    "SELECT b'01' \n '10', x'ff', N'text', B'1''0'",
    "SELECT 1..2, 1.5.3, .5, 1., 1.e5, 1e-7, 1E+3, 3.14e2",
    "SELECT a+-b, a-+b, a@-b, a<=-b, a=>-b, a--comment\n, a/*x*/b, 1-/*y*/-2",
    "SELECT a::int::text, b := 1, c => 2, d != e, f <> g, a <= b, a >= b, x[1:2], y[:]",
    "/* nested /* comment */ */ SELECT 1 /**/ /*/**/*/ /***/",
    "SELECT body <=> 'query', a <-> b, a %% b, a @@ b, a ->> 'x' #>> '{a}' ?| b ?& c || d",
    "SELECT \xC3\xA9t\xC3\xA9, 'na\xC3\xAFve', \xE6\x97\xA5\xE6\x9C\xAC",
    "abc$def$ghi $1 $23",
    "SELECT @-1, !!5, ~~ 3, |/ 4, ||/ 5, a*-1, a/-1, *-1, <>-1, >=+2, a^-2, b|-c, -+-1",
    "nchar n'x' NULL nullif e b x u U&",
    "$a$ text $a$b$a$",
    "SELECT $_1$ x $_1$, $\xC3\xA9$ y $\xC3\xA9$",
    "{ } \\ ~",
    "",
    "  \t\n ",
};

TEST(Lexer, CutsTokensAsPostgresqlDoes) {
  for (const std::string& text : kTexts) {
    const auto expected = postgres_spans(text);
    ASSERT_TRUE(expected) << text;
    EXPECT_EQ(our_spans(text).size(), expected->size()) << text;
    EXPECT_TRUE(our_spans(text) == *expected) << text;
  }
}

// pg_query_scan reports wrong ends for these.
TEST(Lexer, TakesUnicodeEscapedLiteralsWhole) {
  const std::string text = "u&'\\0041''x' U&\"\\0041\"\"x\" u & a";
  EXPECT_TRUE(our_spans(text) ==
              (std::vector<Span>{{0, 12}, {13, 25}, {26, 27}, {28, 29}, {30, 31}}));
}

TEST(Lexer, ReadsANamedParameterAsOneToken) {
  const auto tokens = tokens_of("a = $name AND b=$other_2||$x");
  std::vector<TokenKind> kinds;
  for (const Token& token : tokens) kinds.push_back(token.kind);
  EXPECT_EQ(
      kinds,
      (std::vector{TokenKind::kIdentifier, TokenKind::kOperator, TokenKind::kNamedParameter,
                   TokenKind::kIdentifier, TokenKind::kIdentifier, TokenKind::kOperator,
                   TokenKind::kNamedParameter, TokenKind::kOperator, TokenKind::kNamedParameter}));
}

TEST(Lexer, SaysWhatIsStillOpenWherePostgresqlRefuses) {
  const std::vector<std::pair<std::string, OpenQuote>> cases = {
      {"SELECT 'abc", OpenQuote::kString},     {"SELECT E'abc\\'", OpenQuote::kString},
      {"SELECT 'a'\n'b", OpenQuote::kString},  {"SELECT \"abc", OpenQuote::kIdentifier},
      {"SELECT $$abc$", OpenQuote::kDollar},   {"SELECT $a$ $b$", OpenQuote::kDollar},
      {"SELECT /* /* */", OpenQuote::kComment}};
  for (const auto& [text, open] : cases) {
    EXPECT_FALSE(postgres_spans(text)) << text;
    const auto tokens = tokens_of(text);
    ASSERT_FALSE(tokens.empty());
    EXPECT_EQ(tokens.back().kind, TokenKind::kUnterminated) << text;
    EXPECT_EQ(tokens.back().open, open) << text;
    EXPECT_EQ(tokens.back().end, text.size()) << text;
  }
}

TEST(Lexer, CallsJunkBehindNumbersBad) {
  for (const std::string text : {"SELECT 123abc", "SELECT $1a", "SELECT 1e+", "SELECT 1.5x"}) {
    EXPECT_FALSE(postgres_spans(text)) << text;
    bool bad = false;
    for (const Token& token : tokens_of(text)) bad = bad || token.kind == TokenKind::kBad;
    EXPECT_TRUE(bad) << text;
  }
}

TEST(Lexer, KnowsKeywordsInAnyCaseButNotInQuotes) {
  Lexer lexer("SeLeCt \"select\" selects");
  const Token keyword = lexer.next();
  const Token quoted = lexer.next();
  const Token longer = lexer.next();
  EXPECT_TRUE(lexer.is_word(keyword, "select"));
  EXPECT_FALSE(lexer.is_word(quoted, "select"));
  EXPECT_FALSE(lexer.is_word(longer, "select"));
}

}  // namespace
}  // namespace coppice::sql
