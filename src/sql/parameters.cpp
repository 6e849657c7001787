#include "sql/parameters.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "sql/split.h"

namespace coppice::sql {
namespace {

constexpr std::size_t kMaxParameters = 65'535;  // what PostgreSQL's protocol carries

// Gives the parameters of one statement in turn. In a CREATE statement $1 is not a parameter but
// an argument of the SQL function that is defined.
class ParameterScanner {
 public:
  explicit ParameterScanner(std::string_view statement) : lexer_(statement) {}

  // kEnd behind the last one.
  Token next() {
    for (;;) {
      const Token token = lexer_.next();
      if (first_) create_ = lexer_.is_word(token, "create");
      first_ = false;
      if (token.kind == TokenKind::kEnd || token.kind == TokenKind::kNamedParameter) return token;
      if (token.kind == TokenKind::kParameter && !create_) return token;
    }
  }
  std::string_view name(const Token& token) const { return lexer_.text(token).substr(1); }

 private:
  Lexer lexer_;
  bool first_ = true;
  bool create_ = false;
};

}  // namespace

NumberedText::NumberedText(std::string_view text, bool renumber) {
  if (!renumber) {
    text_ = text;
    return;
  }
  ParameterScanner scanner(text);
  std::size_t copied = 0;
  for (Token token = scanner.next(); token.kind != TokenKind::kEnd; token = scanner.next()) {
    text_.append(text.substr(copied, token.begin - copied));
    const std::size_t begin = text_.size();
    text_ += fmt::format("${}", number_of(scanner.name(token)));
    changes_.push_back({begin, text_.size(), token.begin, token.end});
    copied = token.end;
  }
  text_.append(text.substr(copied));
}

std::size_t NumberedText::number_of(std::string_view name) {
  const auto [entry, is_new] = numbers_.try_emplace(std::string(name), names_.size() + 1);
  if (is_new) names_.push_back(entry->first);
  if (names_.size() > kMaxParameters) {
    throw Error(ErrorCode::kSyntax,
                fmt::format("a statement takes at most {} parameters", kMaxParameters),
                "load data with COPY … FROM 'file' or `coppice insert TABLE --from FILE`");
  }
  return entry->second;
}

std::size_t NumberedText::source_offset(std::size_t offset) const {
  const auto after =
      std::upper_bound(changes_.begin(), changes_.end(), offset,
                       [](std::size_t at, const Change& change) { return at < change.begin; });
  if (after == changes_.begin()) return offset;
  const Change& last = *(after - 1);
  // Inside a parameter every place is its "$".
  return offset < last.end ? last.source_begin : last.source_end + (offset - last.end);
}

std::vector<ParameterUse> find_parameters(std::string_view script) {
  std::vector<ParameterUse> uses;
  Splitter splitter(script);
  while (const auto statement = splitter.next()) {
    ParameterScanner scanner(statement->text);
    for (Token token = scanner.next(); token.kind != TokenKind::kEnd; token = scanner.next()) {
      uses.push_back({std::string(scanner.name(token)), statement->offset + token.begin});
    }
  }
  return uses;
}

void check_parameters(std::string_view script, const std::vector<std::string>& given) {
  const std::set<std::string> values(given.begin(), given.end());
  std::set<std::string> used;
  for (const ParameterUse& use : find_parameters(script)) {
    used.insert(use.name);
    if (values.contains(use.name)) continue;
    std::string hint = did_you_mean(use.name, given);
    if (hint.empty()) hint = fmt::format("give it with -p {}=VALUE", use.name);
    throw error_at(ErrorCode::kUsage, SourceText{script}, static_cast<std::ptrdiff_t>(use.offset),
                   fmt::format("parameter ${} has no value", use.name), std::move(hint));
  }
  for (const std::string& name : given) {
    if (used.contains(name)) continue;
    std::string hint = did_you_mean(name, std::vector<std::string>(used.begin(), used.end()));
    if (hint.empty()) hint = fmt::format("write ${} in the SQL text where it belongs", name);
    throw Error(ErrorCode::kUsage,
                fmt::format("parameter \"{}\" is given but the SQL does not use it", name),
                std::move(hint));
  }
}

}  // namespace coppice::sql
