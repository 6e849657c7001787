// Read: plain values out of the parser's nodes.
//
// Model    The parser keeps names as lists of String nodes, options as DefElem, types as TypeName.
//          Each function here reads one such form; a node of another form gives nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sql/names.h"
#include "sql/tree.h"

namespace coppice::sql {

// The names in a list of String nodes; "*" for a star.
std::vector<std::string> names_in(std::size_t count, Node* const* items);
// {"f", "clip"} of f.clip, {"f", "*"} of f.*.
std::vector<std::string> column_ref_names(const PgQuery__ColumnRef& reference);
QualifiedName function_name(const PgQuery__FuncCall& call);
QualifiedName relation_name(const PgQuery__RangeVar& relation);
// The table and the version in its quoted name.
VersionedName versioned_relation_name(const PgQuery__RangeVar& relation);
// The name under which its columns are called: the alias, else the table's name.
std::string_view relation_alias(const PgQuery__RangeVar& relation);
// The last one or two of a list of names: (schema, name).
QualifiedName qualified_name(std::size_t count, Node* const* items);
// What DROP and COMMENT name: a List of Strings, a String, a TypeName or an ObjectWithArgs.
QualifiedName object_name(const Node* object);

// The text of a string constant, the number of an integer one (also with a minus).
std::optional<std::string> string_value(const Node* node);
std::optional<std::int64_t> integer_value(const Node* node);
bool is_null_constant(const Node* node);

// A type as PostgreSQL's format_type writes it: "bigint", "numeric(10,2)", "timestamp with time
// zone", "image[]", "films.kind". Arrays of any dimension end in one "[]".
std::string type_text(const PgQuery__TypeName& type);

// name 'value' in WITH (…), OPTIONS (…), SET (…), and the options of COPY and EXPLAIN.
struct Option {
  enum class Action { kSet, kAdd, kDrop };
  std::string space;  // before the dot, mostly empty
  std::string name;
  std::optional<std::string> value;  // nullopt: the bare name
  Action action = Action::kSet;
  std::int32_t location = -1;
};
std::vector<Option> options_in(std::size_t count, Node* const* items);
// The value of an option as text: 'a', 3, 1.5, true and bare words alike; "*" for a star.
std::optional<std::string> option_value(const Node* argument);

}  // namespace coppice::sql
