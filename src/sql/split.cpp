#include "sql/split.h"

namespace coppice::sql {
namespace {

// Tells which ";" end a statement, as psql does.
class StatementEnd {
 public:
  explicit StatementEnd(const Lexer& lexer) : lexer_(lexer) {}

  bool ends_at(const Token& token) {
    if (token.kind == TokenKind::kPunctuation) return punctuation(token);
    if (token.kind == TokenKind::kIdentifier && parentheses_ == 0) word(token);
    ++tokens_;
    return false;
  }

 private:
  bool punctuation(const Token& token) {
    ++tokens_;
    switch (lexer_.text()[token.begin]) {
      case '(':
        ++parentheses_;
        return false;
      case ')':
        if (parentheses_ > 0) --parentheses_;
        return false;
      case ';':
        return parentheses_ == 0 && blocks_ == 0;
      default:
        return false;
    }
  }

  // CREATE [OR REPLACE] FUNCTION | PROCEDURE … BEGIN ATOMIC … END
  void word(const Token& token) {
    if (tokens_ == 0) create_ = lexer_.is_word(token, "create");
    if (!create_) return;
    if (tokens_ == 1 || tokens_ == 3) {
      routine_ =
          routine_ || lexer_.is_word(token, "function") || lexer_.is_word(token, "procedure");
    }
    if (!routine_) return;
    const bool after_begin = begin_;
    begin_ = lexer_.is_word(token, "begin");
    if (blocks_ == 0) {
      if (after_begin && lexer_.is_word(token, "atomic")) blocks_ = 1;
    } else if (begin_ || lexer_.is_word(token, "case")) {
      ++blocks_;
    } else if (lexer_.is_word(token, "end")) {
      --blocks_;
    }
  }

  const Lexer& lexer_;
  std::size_t tokens_ = 0;
  std::size_t parentheses_ = 0;
  std::size_t blocks_ = 0;
  bool create_ = false;
  bool routine_ = false;
  bool begin_ = false;
};

}  // namespace

LineColumn Splitter::place_of(std::size_t offset) {
  const SourceText piece{lexer_.text().substr(counted_, offset - counted_), start_};
  start_ = piece.place(piece.text.size());
  counted_ = offset;
  return start_;
}

std::optional<StatementText> Splitter::next() {
  Token token = lexer_.next();
  while (lexer_.is_punctuation(token, ';')) token = lexer_.next();
  if (token.kind == TokenKind::kEnd) return std::nullopt;

  const std::size_t begin = token.begin;
  std::size_t end = token.end;
  StatementEnd statement_end(lexer_);
  bool terminated = false;
  while (token.kind != TokenKind::kEnd) {
    terminated = statement_end.ends_at(token);
    if (terminated) break;
    end = token.end;
    token = lexer_.next();
  }
  return StatementText{lexer_.text().substr(begin, end - begin), begin, place_of(begin),
                       terminated};
}

std::vector<StatementText> split(std::string_view script) {
  std::vector<StatementText> statements;
  Splitter splitter(script);
  while (auto statement = splitter.next()) statements.push_back(*statement);
  return statements;
}

bool is_incomplete(std::string_view text) {
  Splitter splitter(text);
  bool incomplete = false;
  while (const auto statement = splitter.next()) incomplete = !statement->terminated;
  return incomplete;
}

}  // namespace coppice::sql
