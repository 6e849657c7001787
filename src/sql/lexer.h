// Lexer: PostgreSQL's lexical rules, flat and streaming, without the grammar.
//
// Model    Cuts a text into tokens exactly as PostgreSQL 15's scanner does (with
//          standard_conforming_strings on): string continuation over lines, E'' escapes, dollar
//          quotes, nested comments, operators cut before "--" and "/*". Comments and whitespace are
//          skipped. One addition: `$name` is one token, kNamedParameter. It never fails: what the
//          scanner would refuse becomes kBad or, when the text ends inside it, kUnterminated.
//          A test and the fuzzer compare it token by token with pg_query_scan.
// Units    Offsets are bytes into the text.
// Source   PostgreSQL 15, src/backend/parser/scan.l.
#pragma once

#include <cstdint>
#include <string_view>

namespace coppice::sql {

enum class TokenKind : std::uint8_t {
  kEnd,
  kIdentifier,        // unquoted, keywords included
  kQuotedIdentifier,  // "…" and U&"…"
  kString,            // '…', E'…', B'…', X'…', U&'…', $tag$…$tag$
  kNumber,            //
  kParameter,         // $1
  kNamedParameter,    // $name
  kOperator,          // any run of operator characters, and :: .. := =>
  kPunctuation,       // one of , ( ) [ ] . ; :
  kUnterminated,      // a quote, dollar quote or comment that the text ends in
  kBad,               // a character or number that no rule takes
};

// What an unterminated token would still need.
enum class OpenQuote : std::uint8_t { kNone, kString, kIdentifier, kDollar, kComment };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  OpenQuote open = OpenQuote::kNone;
  std::size_t begin = 0;
  std::size_t end = 0;

  std::size_t size() const { return end - begin; }
};

class Lexer {
 public:
  explicit Lexer(std::string_view text, std::size_t offset = 0) : text_(text), at_(offset) {}

  Token next();
  std::string_view text() const { return text_; }
  std::string_view text(const Token& token) const {
    return text_.substr(token.begin, token.size());
  }
  bool is_punctuation(const Token& token, char character) const {
    return token.kind == TokenKind::kPunctuation && text_[token.begin] == character;
  }
  // `word` in lower case; quoted identifiers are never keywords.
  bool is_word(const Token& token, std::string_view word) const;

 private:
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  Token finish(TokenKind kind, std::size_t begin) const {
    return {kind, OpenQuote::kNone, begin, at_};
  }
  Token unterminated(OpenQuote open, std::size_t begin);
  void skip_line_comment();
  bool skip_block_comment();
  bool skip_string_body(bool backslash_escapes);
  bool skip_string_continuation();
  Token lex_string(std::size_t begin, std::size_t prefix_bytes, bool backslash_escapes,
                   bool doubled_quotes);
  Token lex_quoted_identifier(std::size_t begin, std::size_t prefix_bytes);
  Token lex_dollar();
  Token lex_number();
  Token lex_operator();
  Token lex_word();

  std::string_view text_;
  std::size_t at_;
};

}  // namespace coppice::sql
