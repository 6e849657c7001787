#include "pg/conninfo.h"

#include <libpq-fe.h>

#include <memory>

#include "base/error.h"

namespace coppice::pg {
namespace {

void refuse_nul(std::string_view text, std::string_view what) {
  if (text.find('\0') == std::string_view::npos) return;
  throw Error(ErrorCode::kInvalidInput, std::string(what) + " holds a NUL character",
              "PostgreSQL cannot store NUL in names or text; remove it");
}

std::string surround(std::string_view text, char quote, std::string_view doubled) {
  std::string result(1, quote);
  for (const char c : text) {
    if (doubled.find(c) != std::string_view::npos) result += c;
    result += c;
  }
  result += quote;
  return result;
}

}  // namespace

ConninfoOptions parse_conninfo(const std::string& conninfo) {
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
      PQconninfoParse(conninfo.c_str(), &message), PQconninfoFree);
  if (!parsed) {
    PQfreemem(message);
    throw Error(ErrorCode::kUsage, "the database address cannot be read",
                "write postgresql://user@host:5432/database, or host=… dbname=… user=…");
  }
  ConninfoOptions options;
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) options[option->keyword] = option->val;
  }
  return options;
}

std::string format_conninfo(const ConninfoOptions& options) {
  std::string text;
  for (const auto& [keyword, value] : options) {
    if (!text.empty()) text += ' ';
    text += keyword + "='";
    for (const char c : value) {
      if (c == '\'' || c == '\\') text += '\\';
      text += c;
    }
    text += '\'';
  }
  return text;
}

std::string with_options(const std::string& conninfo, const ConninfoOptions& changes) {
  ConninfoOptions options = parse_conninfo(conninfo);
  for (const auto& [keyword, value] : changes) options[keyword] = value;
  return format_conninfo(options);
}

std::string masked_conninfo(const std::string& conninfo) {
  ConninfoOptions options = parse_conninfo(conninfo);
  for (const char* secret : {"password", "sslpassword"}) {
    if (const auto found = options.find(secret); found != options.end()) found->second = "***";
  }
  return format_conninfo(options);
}

std::string without_password(const std::string& conninfo) {
  ConninfoOptions options = parse_conninfo(conninfo);
  const std::size_t secrets = options.erase("password") + options.erase("sslpassword");
  return secrets == 0 ? conninfo : format_conninfo(options);
}

std::string quote_identifier(std::string_view name) {
  refuse_nul(name, "a name");
  return surround(name, '"', "\"");
}

std::string quote_literal(std::string_view text) {
  refuse_nul(text, "a text");
  const bool escapes = text.find('\\') != std::string_view::npos;
  return (escapes ? "E" : "") + surround(text, '\'', "'\\");
}

}  // namespace coppice::pg
