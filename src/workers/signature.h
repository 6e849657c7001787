// Signature: the contract of one overload of an engine function.
//
// Model    builtin_signatures() is the single source for the PostgreSQL stubs, `coppice functions`
//          and the type checks of the binder; the component `functions` implements each id.
// Threads  Immutable after start.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "workers/value.h"

namespace coppice {

enum class Volatility { kImmutable, kStable, kVolatile };

struct Parameter {
  std::string name;
  ValueType type;
  std::optional<std::string>
      default_sql;  // an SQL literal: "85", "'webp'"; parameters with defaults come last
};

struct Signature {
  std::string id;    // "resize(image,bigint,bigint)": name and parameter types, unique
  std::string name;  // "resize"
  std::vector<Parameter> parameters;
  ValueType result;
  Volatility volatility = Volatility::kImmutable;
  std::string summary;  // one line: what it gives, shapes and units
};

std::span<const Signature> builtin_signatures();

}  // namespace coppice
