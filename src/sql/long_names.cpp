#include "sql/long_names.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "sql/lexer.h"

namespace coppice::sql {
namespace {

// What stands between the quotes, doubled ones once.
std::string unquoted(std::string_view token) {
  std::string name;
  for (std::size_t i = 1; i + 1 < token.size(); ++i) {
    name += token[i];
    if (token[i] == '"') ++i;
  }
  return name;
}

// Begins as the whole name does, for messages name it, and is no name that somebody else gave.
std::string short_name(const std::string& whole, std::size_t number) {
  std::string begin = whole.substr(0, 40);
  // No half of a character of UTF-8 at the end.
  while ((static_cast<unsigned char>(whole[begin.size()]) & 0xc0U) == 0x80U) begin.pop_back();
  std::replace(begin.begin(), begin.end(), '"', '\'');
  return fmt::format("{}…:{}", begin, number);
}

}  // namespace

LongNames::LongNames(const SourceText& source, std::span<const std::size_t> places)
    : source_(source) {
  if (places.empty()) return;
  short_ = source.text;
  std::map<std::string, std::string> short_by_whole;
  for (const std::size_t place : places) {
    Lexer lexer(source.text, place);
    const Token token = lexer.next();
    const std::string whole = unquoted(lexer.text(token));
    std::string& name = short_by_whole[whole];
    if (name.empty()) {
      name = short_name(whole, short_by_whole.size());
      names_[name] = {whole, place};
    }
    const std::string quoted = '"' + name + '"';
    short_.replace(place, token.size(), quoted + std::string(token.size() - quoted.size(), ' '));
  }
}

void LongNames::put_back(Node* root, Arena& arena) const {
  if (names_.empty()) return;
  std::set<std::string> used;
  walk(root, [&](Message& message) {
    if (message.descriptor != &pg_query__range_var__descriptor) return Visit::kInto;
    auto& relation = reinterpret_cast<PgQuery__RangeVar&>(message);
    const auto name = names_.find(relation.relname);
    if (name == names_.end()) return Visit::kInto;
    if (relation.alias == nullptr) {
      relation.alias = arena.allocate_array<PgQuery__Alias>(1);
      pg_query__alias__init(relation.alias);
      relation.alias->aliasname = relation.relname;
    }
    relation.relname = arena.copy(name->second.whole);
    used.insert(name->first);
    return Visit::kInto;
  });
  for (const auto& [name, long_name] : names_) {
    if (!used.contains(name)) {
      throw name_too_long(source_, long_name.offset, long_name.whole.size());
    }
  }
}

}  // namespace coppice::sql
