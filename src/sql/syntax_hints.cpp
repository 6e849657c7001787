#include "sql/syntax_hints.h"

#include <fmt/core.h>

#include <array>
#include <vector>

#include "sql/lexer.h"

namespace coppice::sql {
namespace {

// The tokens of a statement around the one at which the parser stopped.
class Around {
 public:
  Around(std::string_view statement, std::size_t offset) : lexer_(statement) {
    Lexer lexer(statement);
    Token token = lexer.next();
    for (; token.kind != TokenKind::kEnd; token = lexer.next()) tokens_.push_back(token);
    tokens_.push_back(token);
    while (at_ + 1 < tokens_.size() && tokens_[at_].end <= offset) ++at_;
  }

  bool has(int step) const {
    const auto index = static_cast<std::ptrdiff_t>(at_) + step;
    return index >= 0 && index < static_cast<std::ptrdiff_t>(tokens_.size());
  }
  const Token& token(int step) const { return tokens_[at_ + static_cast<std::size_t>(step)]; }
  std::string_view text(int step) const {
    return has(step) ? lexer_.text(token(step)) : std::string_view();
  }
  bool is(int step, std::string_view word) const {
    return has(step) && lexer_.is_word(token(step), word);
  }
  bool is_kind(int step, TokenKind kind) const { return has(step) && token(step).kind == kind; }
  bool is_punctuation(int step, char c) const {
    return has(step) && lexer_.is_punctuation(token(step), c);
  }
  // Starts the statement with this word.
  bool begins(std::string_view word) const { return lexer_.is_word(tokens_.front(), word); }
  bool contains(std::string_view word) const {
    for (const Token& token : tokens_) {
      if (lexer_.is_word(token, word)) return true;
    }
    return false;
  }
  // To PostgreSQL an operator, to the users of another database a quote.
  bool has_backtick() const {
    for (const Token& token : tokens_) {
      if (token.kind == TokenKind::kOperator && lexer_.text(token).starts_with('`')) return true;
    }
    return false;
  }
  // The step of the "(" that the ")" at `step` closes; 0 when there is none.
  int opening(int step) const {
    int depth = 0;
    for (; has(step); --step) {
      if (is_punctuation(step, ')')) ++depth;
      if (is_punctuation(step, '(') && --depth == 0) return step;
    }
    return 0;
  }

 private:
  Lexer lexer_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

// films.film@3, film:3, film FOR SYSTEM_TIME AS OF …
std::string version_hint(const Around& around) {
  const bool named = around.is_kind(-1, TokenKind::kIdentifier);
  const bool sign = around.text(0) == "@" || around.text(0) == ":";
  if (named && sign && around.is_kind(1, TokenKind::kNumber)) {
    const std::string schema = around.is_punctuation(-2, '.') && around.has(-3)
                                   ? std::string(around.text(-3)) + "."
                                   : std::string();
    return fmt::format("a version is written inside the quoted name: {}\"{}:{}\"", schema,
                       around.text(-1), around.text(1));
  }
  const bool temporal = around.is(0, "system_time") || around.is(0, "system") ||
                        around.is(1, "system_time") || around.is(0, "timestamp");
  if (temporal && around.contains("of")) {
    return "a version or time is written inside the quoted name: \"film:3\" or "
           "\"film:2026-11-22 10:00+00\"";
  }
  if (around.text(0) == ":" && around.is_kind(1, TokenKind::kIdentifier)) {
    return fmt::format("a parameter is written ${}", around.text(1));
  }
  return {};
}

// GENERATED ALWAYS AS (expression) in other dialects' forms.
std::string computed_column_hint(const Around& around) {
  constexpr std::string_view kForm =
      "a computed column is written: name type GENERATED ALWAYS AS (expression) STORED";
  if (around.is_punctuation(-1, ')') && !around.is(0, "stored")) {
    const int open = around.opening(-1);
    if (open < 0 && around.is(open - 1, "as") && around.is(open - 2, "always")) {
      return std::string(kForm);
    }
    if (open < 0 && around.is(open - 1, "as") && around.begins("create")) {
      return std::string(kForm);
    }
  }
  if (around.is(0, "always") && around.is(-1, "generated")) {
    return std::string("the column has no type. ") + std::string(kForm);
  }
  if (around.is(0, "as") && around.is_punctuation(1, '(') && around.begins("create")) {
    return std::string(kForm);
  }
  if (around.is(-1, "stored") && (around.is(0, "with") || around.is(0, "options"))) {
    return "options stand right after the type: poster image OPTIONS (on_error 'ignore') "
           "GENERATED ALWAYS AS (…) STORED";
  }
  if (around.is(0, "expression") && around.begins("alter")) {
    return "change a computed column with `coppice alter-column TABLE.COLUMN 'expression'`";
  }
  return {};
}

struct FirstWord {
  std::string_view word;
  std::string_view hint;
};

// Statements of Coppice's command line or of other databases.
constexpr std::array kFirstWords = {
    FirstWord{"revert", "use `coppice revert TABLE --to N`"},
    FirstWord{"describe", "use `coppice describe TABLE`, or \\d in the shell"},
    FirstWord{"desc", "use `coppice describe TABLE`, or \\d in the shell"},
    FirstWord{"use", "name the schema: films.film, or SET search_path = films"},
    FirstWord{"replace", "use INSERT … ON CONFLICT (key) DO UPDATE SET …"},
    FirstWord{"upsert", "use INSERT … ON CONFLICT (key) DO UPDATE SET …"},
    FirstWord{"backup", "use `coppice backup create --repo URL`"},
    FirstWord{"restore", "use `coppice restore --repo URL`"},
    FirstWord{"history", "use `coppice history TABLE`"},
    FirstWord{"undrop", "use `coppice revert TABLE --to N`"},
};

std::string dialect_hint(const Around& around) {
  for (const FirstWord& entry : kFirstWords) {
    if (around.begins(entry.word)) return std::string(entry.hint);
  }
  if (around.begins("show") && (around.contains("tables") || around.contains("schemas"))) {
    return "use `coppice ls`";
  }
  if (around.begins("create") && around.is(0, "snapshot")) {
    return "use `coppice snapshot create TABLE NAME`";
  }
  if (around.begins("insert") && around.contains("replace")) {
    return "use INSERT … ON CONFLICT (key) DO UPDATE SET …";
  }
  if (around.has_backtick()) return "names are quoted with \" in SQL";
  if (around.is(0, "auto_increment") || around.is(0, "autoincrement")) {
    return "use: id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY";
  }
  if (around.is(0, "array") && around.text(1).starts_with("<")) {
    return "an array type is written integer[]";
  }
  if (around.is_punctuation(0, ':') && around.is_kind(-1, TokenKind::kString)) {
    return "use jsonb_build_object('key', value)";
  }
  if (around.is(0, "qualify")) return "filter a window function in a query around it";
  if (around.is(-1, "top") && around.is(-2, "select")) return "use LIMIT n at the end";
  return {};
}

std::string_view unterminated_hint(OpenQuote open) {
  switch (open) {
    case OpenQuote::kString:
      return "close the string with ' (a quote inside it is written '')";
    case OpenQuote::kIdentifier:
      return "close the name with \"";
    case OpenQuote::kDollar:
      return "close the string with the same $tag$ that opens it";
    case OpenQuote::kComment:
      return "close the comment with */ (comments nest)";
    case OpenQuote::kNone:
      break;
  }
  return {};
}

}  // namespace

std::string syntax_hint(std::string_view statement, std::size_t offset) {
  const Around around(statement, offset);
  if (around.is_kind(0, TokenKind::kUnterminated)) {
    return std::string(unterminated_hint(around.token(0).open));
  }
  for (const auto& find : {version_hint, computed_column_hint, dialect_hint}) {
    if (std::string hint = find(around); !hint.empty()) return hint;
  }
  return {};
}

}  // namespace coppice::sql
