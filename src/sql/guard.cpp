#include "sql/guard.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "sql/lexer.h"

namespace coppice::sql {
namespace {

// Words that put one more node above what stands beside them.
constexpr std::array<std::string_view, 13> kOperatorWords = {
    "not",     "is", "isnull", "notnull", "like",     "ilike",   "similar",
    "between", "in", "at",     "collate", "operator", "overlaps"};
// Words that chain whole relations or queries: the chain goes on over commas.
constexpr std::array<std::string_view, 4> kChainWords = {"union", "intersect", "except", "join"};

// Levels of messages that each construct puts above what is inside it (measured; the tests and the
// fuzzer compare the bound with real trees).
constexpr std::size_t kStatementDepth = 14;
constexpr std::size_t kOperatorDepth = 2;
constexpr std::size_t kCallDepth = 5;   // with a window's ORDER BY: call, window, sort
constexpr std::size_t kGroupDepth = 2;  // behind an operator or another parenthesis: at most a row
constexpr std::size_t kSubqueryDepth = 6;
constexpr std::size_t kCaseDepth = 4;

struct Level {
  char opener = '\0';  // ( [ c for CASE, or none for the statement itself
  bool nests = false;  // a call, an array, a CASE, a subquery: more than a group of operators
  std::size_t own_depth = 0;
  std::size_t chain = 0;     // set operations and joins so far
  std::size_t run = 0;       // operators of the item so far
  std::size_t child = 0;     // the deepest group of the item so far
  std::size_t deepest = 0;   // the deepest finished item
  std::size_t betweens = 0;  // BETWEENs whose AND is still to come
  bool has_and = false;      // however many they are, they make one node
  bool has_or = false;

  void finish_item() {
    deepest = std::max(deepest, run + child);
    run = child = betweens = 0;
  }
  std::size_t depth() const {
    const std::size_t booleans = (has_and ? kOperatorDepth : 0) + (has_or ? kOperatorDepth : 0);
    return own_depth + chain + booleans + std::max(deepest, run + child);
  }
};

class DepthBound {
 public:
  DepthBound(const SourceText& source, const Lexer& lexer, const GuardLimits& limits)
      : source_(source), lexer_(lexer), limits_(limits) {
    levels_.push_back({});
  }

  void add(const Token& token) {
    switch (token.kind) {
      case TokenKind::kPunctuation:
        punctuation(token);
        break;
      case TokenKind::kOperator:
        top().run += kOperatorDepth;
        break;
      case TokenKind::kIdentifier:
        word(token);
        break;
      default:
        break;
    }
    if (subquery_may_follow_ && token.kind != TokenKind::kPunctuation) subquery_may_follow_ = false;
    if (top().depth() > limits_.chain * kOperatorDepth) refuse_depth(token);
    // x.end and AS end are names, not the end of a CASE.
    name_may_follow_ = lexer_.is_punctuation(token, '.') || lexer_.is_word(token, "as");
    previous_ = token;
  }

  std::size_t bound() {
    while (levels_.size() > 1) close();
    return levels_.front().depth() + kStatementDepth;
  }

 private:
  Level& top() { return levels_.back(); }

  void punctuation(const Token& token) {
    const char c = lexer_.text()[token.begin];
    if (c == '(' || c == '[') {
      const bool group = c == '(' && is_group();
      open(token, c, group ? kGroupDepth : kCallDepth);
      if (!group) count_nesting(token);
      subquery_may_follow_ = c == '(';
    } else if (c == ')' || c == ']') {
      while (levels_.size() > 1 && top().opener == 'c') close();
      if (levels_.size() > 1) close();
    } else if (c == ',' || c == ';') {
      top().finish_item();
    } else if (c == '.' && lexer_.is_punctuation(previous_, ')')) {
      top().run += kOperatorDepth;  // a field of what is in the parentheses
    }
  }

  // True for a parenthesis that only groups: no name or keyword stands before it.
  bool is_group() const {
    const auto follows = [&](char c) { return lexer_.is_punctuation(previous_, c); };
    return previous_.kind == TokenKind::kOperator || follows('(') || follows('[') || follows(',');
  }

  void word(const Token& token) {
    if (name_may_follow_) return;
    const auto is = [&](std::string_view word) { return lexer_.is_word(token, word); };
    if (subquery_may_follow_ && (is("select") || is("with") || is("values") || is("table"))) {
      open_depth_ += kSubqueryDepth - std::exchange(top().own_depth, kSubqueryDepth);
      if (!top().nests) count_nesting(token);
    }
    if (is("and") && top().betweens > 0) {
      --top().betweens;  // BETWEEN x AND NOT y BETWEEN …: the chain goes on
    } else if (is("and") || is("or")) {
      (is("and") ? top().has_and : top().has_or) = true;
      top().finish_item();
    } else if (is("case")) {
      top().run += kOperatorDepth;
      open(token, 'c', kCaseDepth);
      count_nesting(token);
    } else if (top().opener == 'c' && is("end")) {
      close();
    } else if (top().opener == 'c' && (is("when") || is("then") || is("else"))) {
      top().finish_item();
    } else if (std::any_of(kOperatorWords.begin(), kOperatorWords.end(), is)) {
      top().run += kOperatorDepth;
      if (is("between")) {
        top().run += kOperatorDepth;  // its two bounds are a list
        ++top().betweens;
      }
    } else if (std::any_of(kChainWords.begin(), kChainWords.end(), is)) {
      top().chain += kOperatorDepth;
    }
  }

  void open(const Token& token, char opener, std::size_t own_depth) {
    levels_.push_back({opener, false, own_depth});
    open_depth_ += own_depth;
    if (open_depth_ > limits_.chain * kOperatorDepth) refuse_depth(token);
  }

  // Groups of operators are bounded by the depth alone: (((a + b) + c) + d) is how a chain is
  // written back.
  void count_nesting(const Token& token) {
    top().nests = true;
    if (nesting_++ < limits_.nesting) return;
    throw error_at(ErrorCode::kUnsupported, source_, static_cast<std::ptrdiff_t>(token.begin),
                   fmt::format("the statement is nested more than {} levels deep", limits_.nesting),
                   "split it into simpler expressions or a WITH clause");
  }

  void close() {
    const std::size_t depth = top().depth();
    if (top().nests) --nesting_;
    open_depth_ -= top().own_depth;
    levels_.pop_back();
    top().child = std::max(top().child, depth);
  }

  [[noreturn]] void refuse_depth(const Token& token) const {
    throw error_at(
        ErrorCode::kUnsupported, source_, static_cast<std::ptrdiff_t>(token.begin),
        fmt::format("the expression chains or nests more than {} operators", limits_.chain),
        "use a list instead of a chain: IN (…), an array, VALUES rows, or a join");
  }

  const SourceText& source_;
  const Lexer& lexer_;
  const GuardLimits& limits_;
  std::vector<Level> levels_;
  std::size_t nesting_ = 0;
  std::size_t open_depth_ = 0;  // of all levels that are open
  bool subquery_may_follow_ = false;
  bool name_may_follow_ = false;
  Token previous_;
};

struct NameLength {
  std::size_t bytes = 0;  // without its quotes, doubled quotes counted once
  std::size_t table = 0;  // before the first colon; all of it when there is none
};

NameLength quoted_name_length(std::string_view quoted) {
  NameLength length;
  bool colon = false;
  for (std::size_t i = quoted.find('"') + 1; i + 1 < quoted.size(); ++i, ++length.bytes) {
    if (quoted[i] == '"') ++i;
    colon = colon || quoted[i] == ':';
    if (!colon) ++length.table;
  }
  return length;
}

// True for a "table:version" that is too long for the parser and whose table is not.
bool is_long_version(std::string_view token) {
  if (!token.starts_with('"')) return false;
  const NameLength length = quoted_name_length(token);
  return length.bytes > kMaxNameBytes && length.table < length.bytes &&
         length.table <= kMaxNameBytes;
}

void check_name(const SourceText& source, const Lexer& lexer, const Token& token) {
  const std::size_t bytes = token.kind == TokenKind::kIdentifier
                                ? token.size()
                                : quoted_name_length(lexer.text(token)).bytes;
  if (bytes > kMaxNameBytes) throw name_too_long(source, token.begin, bytes);
}

void check_parameter(const SourceText& source, const Lexer& lexer, const Token& token) {
  constexpr std::size_t kMaxDigits = 5;  // the protocol carries at most 65,535 parameters
  const std::string_view digits = lexer.text(token).substr(1);
  const bool fits = digits.size() <= kMaxDigits && std::stoul(std::string(digits)) <= 65'535;
  if (fits && digits != "0") return;
  throw error_at(
      ErrorCode::kSyntax, source, static_cast<std::ptrdiff_t>(token.begin),
      fmt::format("parameter numbers go from $1 to $65535, not ${}", digits.substr(0, 20)));
}

}  // namespace

Error name_too_long(const SourceText& source, std::size_t offset, std::size_t bytes) {
  return error_at(
      ErrorCode::kSyntax, source, static_cast<std::ptrdiff_t>(offset),
      fmt::format("a name of {} bytes is too long; the most is {}", bytes, kMaxNameBytes),
      "PostgreSQL would cut it silently; choose a shorter one");
}

StatementCheck check_statement(const SourceText& source, const GuardLimits& limits) {
  if (source.text.size() > limits.statement_bytes) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("the statement at line {} has {}; the most is {}", source.start.line,
                            human_bytes(source.text.size()), human_bytes(limits.statement_bytes)),
                "load data with COPY … FROM 'file' or `coppice insert TABLE --from FILE`; the "
                "setting statement.max_mb raises the limit");
  }
  Lexer lexer(source.text);
  DepthBound depth(source, lexer, limits);
  StatementCheck check;
  for (Token token = lexer.next(); token.kind != TokenKind::kEnd; token = lexer.next()) {
    depth.add(token);
    if (token.kind == TokenKind::kQuotedIdentifier && is_long_version(lexer.text(token))) {
      check.long_names.push_back(token.begin);
    } else if (token.kind == TokenKind::kIdentifier || token.kind == TokenKind::kQuotedIdentifier) {
      check_name(source, lexer, token);
    } else if (token.kind == TokenKind::kParameter) {
      check_parameter(source, lexer, token);
    }
  }
  check.depth = depth.bound() + (check.long_names.empty() ? 0 : 1);  // an alias below a relation
  return check;
}

}  // namespace coppice::sql
