// Signature: the contract of one overload of an engine function.
//
// Model    builtin_signatures() is the single source for the PostgreSQL stubs, `coppice functions`
//          and the type checks of the binder; the component `functions` implements each id.
// Threads  Immutable after start.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "workers/value.h"

namespace coppice {

enum class Volatility { kImmutable, kStable, kVolatile };

// Who runs a function: coppice-media, or a place of its own. Calls of two places never share a
// fragment.
enum class FunctionLanguage { kBuiltin, kPython, kCommand, kHttp };
std::string_view language_name(FunctionLanguage language);  // "built-in", "python", …

struct Parameter {
  std::string name;
  ValueType type;
  std::optional<std::string>
      default_sql;  // an SQL literal: "85", "'webp'"; parameters with defaults come last
};

struct IteratorColumn {
  std::string name;
  ValueType type;
};

struct Signature {
  std::string id;    // "resize(image,bigint,bigint)": name and parameter types, unique
  std::string name;  // "resize"
  // Of a user's function, and in front of its id: "public.caption(image,text)". Empty: coppice.
  std::string schema;
  std::vector<Parameter> parameters;
  ValueType result;
  // Of an iterator: what each of its rows has after `pos`, its number from 0. The value that a
  // worker gives is a jsonb array of objects with these keys, in the order of the rows; `result` is
  // kJson.
  std::vector<IteratorColumn> columns;
  Volatility volatility = Volatility::kImmutable;
  FunctionLanguage language = FunctionLanguage::kBuiltin;
  std::string summary;  // one line: what it gives, shapes and units

  bool is_builtin() const { return language == FunctionLanguage::kBuiltin; }

  // It turns one value into many rows: only in the FROM of a materialized view.
  bool is_iterator() const { return !columns.empty(); }
};

std::span<const Signature> builtin_signatures();

}  // namespace coppice
