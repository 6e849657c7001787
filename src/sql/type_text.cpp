// type_text of read.h: TypeName to text, as PostgreSQL's format_type_with_typemod does it.
#include <fmt/core.h>

#include <array>
#include <span>

#include "sql/read.h"

namespace coppice::sql {
namespace {

struct TypeWords {
  std::string_view internal;  // in pg_catalog
  std::string_view before;    // the type modifier
  std::string_view behind;
};

// The names that the grammar itself makes of SQL's own words.
constexpr std::array kTypeWords = {
    TypeWords{"bool", "boolean", ""},
    TypeWords{"int2", "smallint", ""},
    TypeWords{"int4", "integer", ""},
    TypeWords{"int8", "bigint", ""},
    TypeWords{"float4", "real", ""},
    TypeWords{"float8", "double precision", ""},
    TypeWords{"numeric", "numeric", ""},
    TypeWords{"bit", "bit", ""},
    TypeWords{"bpchar", "character", ""},
    TypeWords{"varchar", "character varying", ""},
    TypeWords{"varbit", "bit varying", ""},
    TypeWords{"time", "time", " without time zone"},
    TypeWords{"timetz", "time", " with time zone"},
    TypeWords{"timestamp", "timestamp", " without time zone"},
    TypeWords{"timestamptz", "timestamp", " with time zone"},
};

const TypeWords* words_of(std::string_view internal) {
  for (const TypeWords& words : kTypeWords) {
    if (words.internal == internal) return &words;
  }
  return nullptr;
}

// The bits of an interval's first modifier (datetime.h): INTERVAL_MASK(field) = 1 << field.
constexpr std::int64_t kMonth = 1 << 1;
constexpr std::int64_t kYear = 1 << 2;
constexpr std::int64_t kDay = 1 << 3;
constexpr std::int64_t kHour = 1 << 10;
constexpr std::int64_t kMinute = 1 << 11;
constexpr std::int64_t kSecond = 1 << 12;

struct IntervalFields {
  std::int64_t mask;
  std::string_view text;
};

constexpr std::array kIntervalFields = {
    IntervalFields{kYear, " year"},
    IntervalFields{kMonth, " month"},
    IntervalFields{kDay, " day"},
    IntervalFields{kHour, " hour"},
    IntervalFields{kMinute, " minute"},
    IntervalFields{kSecond, " second"},
    IntervalFields{kYear | kMonth, " year to month"},
    IntervalFields{kDay | kHour, " day to hour"},
    IntervalFields{kDay | kHour | kMinute, " day to minute"},
    IntervalFields{kDay | kHour | kMinute | kSecond, " day to second"},
    IntervalFields{kHour | kMinute, " hour to minute"},
    IntervalFields{kHour | kMinute | kSecond, " hour to second"},
    IntervalFields{kMinute | kSecond, " minute to second"},
};

std::string interval_text(std::span<Node* const> modifiers) {
  std::string text = "interval";
  if (modifiers.empty()) return text;
  const std::int64_t mask = integer_value(modifiers[0]).value_or(0);
  for (const IntervalFields& fields : kIntervalFields) {
    if (fields.mask == mask) text += fields.text;
  }
  if (modifiers.size() > 1) text += fmt::format("({})", option_value(modifiers[1]).value_or(""));
  return text;
}

std::string modifier_text(std::span<Node* const> modifiers) {
  std::string text;
  for (Node* const modifier : modifiers) {
    if (!text.empty()) text += ",";
    const auto* word = as<PgQuery__ColumnRef>(modifier);  // geometry(point, 4326), video(mp4)
    const auto* constant = as<PgQuery__AConst>(modifier);
    if (word) {
      const auto names = column_ref_names(*word);
      text += names.empty() ? "" : quote_identifier(names.back());
    } else if (constant && constant->val_case == PG_QUERY__A__CONST__VAL_SVAL) {
      text += quote_literal(constant->sval->sval);
    } else {
      text += option_value(modifier).value_or("");
    }
  }
  return text.empty() ? text : "(" + text + ")";
}

std::string base_text(const PgQuery__TypeName& type) {
  const std::span<Node* const> modifiers(type.typmods, type.n_typmods);
  const QualifiedName name = qualified_name(type.n_names, type.names);
  if (name.schema != "pg_catalog") return name.text() + modifier_text(modifiers);
  if (name.name == "interval") return interval_text(modifiers);
  if (const TypeWords* words = words_of(name.name)) {
    return fmt::format("{}{}{}", words->before, modifier_text(modifiers), words->behind);
  }
  return quote_identifier(name.name) + modifier_text(modifiers);
}

// films.film.clip%TYPE
std::string column_type_text(const PgQuery__TypeName& type) {
  std::string text;
  for (const std::string& name : names_in(type.n_names, type.names)) {
    text += (text.empty() ? "" : ".") + quote_identifier(name);
  }
  return text + "%TYPE";
}

}  // namespace

std::string type_text(const PgQuery__TypeName& type) {
  std::string text = type.setof ? "SETOF " : "";
  text += type.pct_type ? column_type_text(type) : base_text(type);
  if (type.n_array_bounds > 0) text += "[]";
  return text;
}

}  // namespace coppice::sql
