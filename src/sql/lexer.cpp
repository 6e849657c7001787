#include "sql/lexer.h"

namespace coppice::sql {
namespace {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_newline(char c) { return c == '\n' || c == '\r'; }
constexpr bool is_space(char c) { return c == ' ' || c == '\t' || c == '\f' || is_newline(c); }
constexpr bool is_word_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
constexpr bool is_word_part(char c) { return is_word_start(c) || is_digit(c) || c == '$'; }

constexpr bool is_one_of(char c, std::string_view set) {
  return c != '\0' && set.find(c) != std::string_view::npos;
}
constexpr std::string_view kOperatorCharacters = "~!@#^&|`?+-*/%<>=";
// An operator that has one of these may end in + or -.
constexpr std::string_view kSignKeepers = "~!@#^&|`?%";

constexpr char lower_ascii(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

}  // namespace

bool Lexer::is_word(const Token& token, std::string_view word) const {
  if (token.kind != TokenKind::kIdentifier || token.size() != word.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (lower_ascii(text_[token.begin + i]) != word[i]) return false;
  }
  return true;
}

Token Lexer::unterminated(OpenQuote open, std::size_t begin) {
  at_ = text_.size();
  return {TokenKind::kUnterminated, open, begin, at_};
}

Token Lexer::next() {
  for (;;) {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    if (at_ >= text_.size()) return {TokenKind::kEnd, OpenQuote::kNone, text_.size(), text_.size()};
    const std::size_t begin = at_;
    if (peek() == '-' && peek(1) == '-') {
      skip_line_comment();
    } else if (peek() == '/' && peek(1) == '*') {
      if (!skip_block_comment()) return unterminated(OpenQuote::kComment, begin);
    } else {
      break;
    }
  }
  const std::size_t begin = at_;
  const char c = peek();
  if (c == '\'') return lex_string(begin, 1, false, true);
  if (c == '"') return lex_quoted_identifier(begin, 1);
  if (c == '$') return lex_dollar();
  if (is_digit(c) || (c == '.' && is_digit(peek(1)))) return lex_number();
  if (is_word_start(c)) return lex_word();
  if (is_one_of(c, kOperatorCharacters)) return lex_operator();
  if ((c == ':' && (peek(1) == ':' || peek(1) == '=')) || (c == '.' && peek(1) == '.')) {
    at_ += 2;
    return finish(TokenKind::kOperator, begin);
  }
  ++at_;
  return finish(is_one_of(c, ",()[].;:") ? TokenKind::kPunctuation : TokenKind::kBad, begin);
}

void Lexer::skip_line_comment() {
  while (at_ < text_.size() && !is_newline(text_[at_])) ++at_;
}

bool Lexer::skip_block_comment() {
  at_ += 2;
  std::size_t depth = 1;
  while (at_ < text_.size()) {
    if (peek() == '/' && peek(1) == '*') {
      ++depth;
      at_ += 2;
    } else if (peek() == '*' && peek(1) == '/') {
      at_ += 2;
      if (--depth == 0) return true;
    } else {
      ++at_;
    }
  }
  return false;
}

// From behind an opening quote to behind the closing one.
bool Lexer::skip_string_body(bool backslash_escapes) {
  while (at_ < text_.size()) {
    const char c = text_[at_++];
    if (c == '\'') return true;
    if (c == '\\' && backslash_escapes && at_ < text_.size()) ++at_;
  }
  return false;
}

// 'a' <newline> 'b' is one string: moves behind the next opening quote when whitespace with at
// least one newline is all that is between. (The server allows comments there, libpg_query does
// not, and it is libpg_query that we must agree with.)
bool Lexer::skip_string_continuation() {
  std::size_t next = at_;
  bool newline = false;
  while (next < text_.size() && is_space(text_[next])) newline |= is_newline(text_[next++]);
  if (!newline || next >= text_.size() || text_[next] != '\'') return false;
  at_ = next + 1;
  return true;
}

Token Lexer::lex_string(std::size_t begin, std::size_t prefix_bytes, bool backslash_escapes,
                        bool doubled_quotes) {
  at_ = begin + prefix_bytes;
  for (;;) {
    if (!skip_string_body(backslash_escapes)) return unterminated(OpenQuote::kString, begin);
    if (doubled_quotes && peek() == '\'') {
      ++at_;
      continue;
    }
    if (!skip_string_continuation()) return finish(TokenKind::kString, begin);
  }
}

Token Lexer::lex_quoted_identifier(std::size_t begin, std::size_t prefix_bytes) {
  at_ = begin + prefix_bytes;
  while (at_ < text_.size()) {
    if (text_[at_++] != '"') continue;
    if (peek() != '"') return finish(TokenKind::kQuotedIdentifier, begin);
    ++at_;
  }
  return unterminated(OpenQuote::kIdentifier, begin);
}

Token Lexer::lex_dollar() {
  const std::size_t begin = at_++;
  if (is_digit(peek())) {
    while (is_digit(peek())) ++at_;
    // PostgreSQL refuses junk behind the number.
    if (is_word_start(peek())) return finish(TokenKind::kBad, begin);
    return finish(TokenKind::kParameter, begin);
  }
  if (is_word_start(peek())) {
    while (is_word_start(peek()) || is_digit(peek())) ++at_;
  }
  if (peek() != '$') {
    return finish(at_ > begin + 1 ? TokenKind::kNamedParameter : TokenKind::kBad, begin);
  }
  ++at_;
  const std::string_view delimiter = text_.substr(begin, at_ - begin);
  const std::size_t close = text_.find(delimiter, at_);
  if (close == std::string_view::npos) return unterminated(OpenQuote::kDollar, begin);
  at_ = close + delimiter.size();
  return finish(TokenKind::kString, begin);
}

Token Lexer::lex_number() {
  const std::size_t begin = at_;
  while (is_digit(peek())) ++at_;
  // "1..10" is a number and the operator "..".
  if (peek() == '.' && peek(1) != '.') {
    ++at_;
    while (is_digit(peek())) ++at_;
  }
  if (peek() == 'e' || peek() == 'E') {
    const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
    if (is_digit(peek(1 + sign))) {
      at_ += 1 + sign;
      while (is_digit(peek())) ++at_;
    }
  }
  if (is_word_start(peek())) {
    ++at_;
    return finish(TokenKind::kBad, begin);
  }
  return finish(TokenKind::kNumber, begin);
}

Token Lexer::lex_operator() {
  const std::size_t begin = at_;
  bool keeps_sign = false;
  while (is_one_of(peek(), kOperatorCharacters)) {
    const bool comment = (peek() == '-' && peek(1) == '-') || (peek() == '/' && peek(1) == '*');
    if (comment) break;
    ++at_;
  }
  for (std::size_t i = begin; i + 1 < at_; ++i) {
    keeps_sign = keeps_sign || is_one_of(text_[i], kSignKeepers);
  }
  if (!keeps_sign) {
    while (at_ - begin > 1 && is_one_of(text_[at_ - 1], "+-")) --at_;
  }
  return finish(TokenKind::kOperator, begin);
}

Token Lexer::lex_word() {
  const std::size_t begin = at_;
  const char c = lower_ascii(peek());
  if (peek(1) == '\'') {
    if (c == 'e') return lex_string(begin, 2, true, true);
    if (c == 'b' || c == 'x') return lex_string(begin, 2, false, false);
    if (c == 'n') {  // N'…' is the keyword NCHAR and a string
      ++at_;
      return finish(TokenKind::kIdentifier, begin);
    }
  }
  if (c == 'u' && peek(1) == '&') {
    if (peek(2) == '\'') return lex_string(begin, 3, false, true);
    if (peek(2) == '"') return lex_quoted_identifier(begin, 3);
  }
  while (is_word_part(peek())) ++at_;
  return finish(TokenKind::kIdentifier, begin);
}

}  // namespace coppice::sql
