// Names: PostgreSQL's identifier rules for what users write outside of SQL.
//
// Model    Unquoted names are folded to lower case, quoted ones kept. A name over 63 bytes is an
//          error, where PostgreSQL would cut it silently.
// Errors   kUsage with the text as it was written: too many parts, an open quote, an empty or
// overlong
//          name.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace coppice::sql {

struct QualifiedName {
  std::string schema;  // empty when the user gave none
  std::string name;

  // As SQL: quoted where needed.
  std::string text() const;
  bool operator==(const QualifiedName&) const = default;
};

// A table as of a version: films."film:3", and on the command line also films.film:3.
struct VersionedName {
  QualifiedName table;
  std::optional<std::string> version;  // "3" or "2026-11-22 10:00+00", checked by whoever knows it

  bool operator==(const VersionedName&) const = default;
};

// TABLE.COLUMN or SCHEMA.TABLE.COLUMN.
struct ColumnName {
  QualifiedName table;
  std::string column;
};

QualifiedName parse_qualified_name(std::string_view text);
VersionedName parse_versioned_name(std::string_view text);
ColumnName parse_column_name(std::string_view text);

// Splits "film:3", a name without its quotes, at the first colon.
VersionedName split_version(std::string schema, std::string_view name);

// The name as SQL reads it back: bare when that is safe, else in double quotes.
std::string quote_identifier(std::string_view name);
// 'text' with quotes doubled (and E'' when there are backslashes), for SQL made by hand.
std::string quote_literal(std::string_view text);

}  // namespace coppice::sql
