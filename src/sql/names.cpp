#include "sql/names.h"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "sql/guard.h"
#include "sql/keywords.h"
#include "sql/lexer.h"

namespace coppice::sql {
namespace {

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw Error(ErrorCode::kUsage, fmt::format("\"{}\" is not a name: {}", text, why),
              "names are written as in SQL: film, films.film, films.\"Odd Name\"");
}

std::string unquote(std::string_view quoted) {
  std::string name;
  for (std::size_t i = 1; i + 1 < quoted.size(); ++i) {
    name += quoted[i];
    if (quoted[i] == '"') ++i;
  }
  return name;
}

// The parts of a dotted name, and what follows an unquoted colon (command line only).
struct Parts {
  std::vector<std::string> names;
  std::optional<std::string> version;
};

std::string part(std::string_view whole, const Lexer& lexer, const Token& token) {
  const std::string_view text = lexer.text(token);
  std::string name;
  if (token.kind == TokenKind::kIdentifier) {
    name = lower(text);
  } else if (token.kind == TokenKind::kQuotedIdentifier && text.front() == '"') {
    name = unquote(text);
  } else if (token.kind == TokenKind::kUnterminated) {
    refuse(whole, "a double quote is not closed");
  } else {
    refuse(whole, token.kind == TokenKind::kEnd ? "a part is missing"
                                                : fmt::format("\"{}\" must be quoted", text));
  }
  if (name.empty()) refuse(whole, "a part is empty");
  return name;
}

Parts split_name(std::string_view text, bool may_have_version) {
  if (first_invalid_utf8(text)) refuse("…", "it is not UTF-8 text");
  Parts parts;
  Lexer lexer(text);
  for (;;) {
    parts.names.push_back(part(text, lexer, lexer.next()));
    const Token separator = lexer.next();
    if (separator.kind == TokenKind::kEnd) return parts;
    if (may_have_version && lexer.is_punctuation(separator, ':')) {
      parts.version = std::string(trim(text.substr(separator.end)));
      return parts;
    }
    if (!lexer.is_punctuation(separator, '.')) {
      refuse(text, fmt::format("\"{}\" does not belong into it", lexer.text(separator)));
    }
  }
}

void check_length(std::string_view text, const std::string& name) {
  if (name.size() <= kMaxNameBytes) return;
  refuse(text, fmt::format("it has {} bytes, the most is {}", name.size(), kMaxNameBytes));
}

QualifiedName qualified(std::string_view text, std::vector<std::string> names) {
  if (names.size() > 2) refuse(text, "it has more than a schema and a name");
  for (const std::string& name : names) check_length(text, name);
  if (names.size() == 1) return {"", std::move(names[0])};
  return {std::move(names[0]), std::move(names[1])};
}

bool is_safe_bare(std::string_view name) {
  const auto is_start = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  if (name.empty() || !is_start(name.front())) return false;
  return std::all_of(name.begin(), name.end(),
                     [&](char c) { return is_start(c) || (c >= '0' && c <= '9'); });
}

}  // namespace

std::string QualifiedName::text() const {
  if (schema.empty()) return quote_identifier(name);
  return quote_identifier(schema) + "." + quote_identifier(name);
}

QualifiedName parse_qualified_name(std::string_view text) {
  return qualified(text, split_name(text, false).names);
}

VersionedName split_version(std::string schema, std::string_view name) {
  const std::size_t colon = name.find(':');
  if (colon == std::string_view::npos) return {{std::move(schema), std::string(name)}, {}};
  const std::string_view version = trim(name.substr(colon + 1));
  if (colon == 0) refuse(name, "the table is missing before the colon");
  if (version.empty()) refuse(name, "the version is missing behind the colon");
  return {{std::move(schema), std::string(name.substr(0, colon))}, std::string(version)};
}

VersionedName parse_versioned_name(std::string_view text) {
  Parts parts = split_name(text, true);
  if (parts.version) {
    if (parts.version->empty()) refuse(text, "the version is missing behind the colon");
    return {qualified(text, std::move(parts.names)), std::move(parts.version)};
  }
  if (parts.names.size() > 2) refuse(text, "it has more than a schema and a name");
  const std::string name = std::move(parts.names.back());
  std::string schema = parts.names.size() == 2 ? std::move(parts.names.front()) : std::string();
  check_length(text, schema);
  VersionedName versioned = split_version(std::move(schema), name);
  check_length(text, versioned.table.name);
  return versioned;
}

ColumnName parse_column_name(std::string_view text) {
  std::vector<std::string> names = split_name(text, false).names;
  if (names.size() < 2) refuse(text, "a column is written TABLE.COLUMN or SCHEMA.TABLE.COLUMN");
  if (names.size() > 3) refuse(text, "it has more than a schema, a table and a column");
  std::string column = std::move(names.back());
  names.pop_back();
  check_length(text, column);
  return {qualified(text, std::move(names)), std::move(column)};
}

std::string quote_identifier(std::string_view name) {
  if (is_safe_bare(name) && !needs_quotes(name)) return std::string(name);
  std::string quoted = "\"";
  for (const char c : name) {
    quoted += c;
    if (c == '"') quoted += c;
  }
  return quoted + "\"";
}

std::string quote_literal(std::string_view text) {
  std::string quoted = text.find('\\') == std::string_view::npos ? "'" : "E'";
  for (const char c : text) {
    quoted += c;
    if (c == '\'' || c == '\\') quoted += c;
  }
  return quoted + "'";
}

}  // namespace coppice::sql
