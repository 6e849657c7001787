// Connection strings and quoting: the small texts that everything about PostgreSQL needs.
//
// Model    A conninfo is what libpq reads: "host=/run/x dbname=y" or "postgresql://user@host/db".
// Errors   kUsage when a conninfo cannot be read; the message never repeats it, for it may hold a
//          password.
// Threads  Free functions, safe anywhere.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace coppice::pg {

using ConninfoOptions = std::map<std::string, std::string>;

// The keywords that a conninfo or URL sets ("host", "dbname", …), without libpq's defaults.
ConninfoOptions parse_conninfo(const std::string& conninfo);

// "key='value' …", with values escaped.
std::string format_conninfo(const ConninfoOptions& options);

// The same address with some keywords set to other values, say {{"dbname", "other"}}.
std::string with_options(const std::string& conninfo, const ConninfoOptions& changes);

// The address as people may see it: no password, no key files' secrets.
std::string masked_conninfo(const std::string& conninfo);

// The address for other programs to connect with: a password stays out, they ask for it themselves.
std::string without_password(const std::string& conninfo);

// "name" in double quotes, '"' doubled. For generated DDL; values are bound, not quoted.
std::string quote_identifier(std::string_view name);
// 'text', or E'text' when it holds a backslash. For DDL, which takes no parameters.
std::string quote_literal(std::string_view text);

}  // namespace coppice::pg
