#include "sql/read.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

namespace coppice::sql {
namespace {

std::optional<std::int64_t> parse_integer(std::string_view digits) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

}  // namespace

std::vector<std::string> names_in(std::size_t count, Node* const* items) {
  std::vector<std::string> names;
  for (Node* const item : std::span(items, count)) {
    if (const auto* string = as<PgQuery__String>(item)) names.emplace_back(string->sval);
    if (as<PgQuery__AStar>(item)) names.emplace_back("*");
  }
  return names;
}

std::vector<std::string> column_ref_names(const PgQuery__ColumnRef& reference) {
  return names_in(reference.n_fields, reference.fields);
}

QualifiedName qualified_name(std::size_t count, Node* const* items) {
  std::vector<std::string> names = names_in(count, items);
  if (names.empty()) return {};
  QualifiedName result{"", std::move(names.back())};
  if (names.size() > 1) result.schema = std::move(names[names.size() - 2]);
  return result;
}

QualifiedName function_name(const PgQuery__FuncCall& call) {
  return qualified_name(call.n_funcname, call.funcname);
}

QualifiedName relation_name(const PgQuery__RangeVar& relation) {
  return {relation.schemaname, relation.relname};
}

VersionedName versioned_relation_name(const PgQuery__RangeVar& relation) {
  return split_version(relation.schemaname, relation.relname);
}

std::string_view relation_alias(const PgQuery__RangeVar& relation) {
  return relation.alias ? relation.alias->aliasname : relation.relname;
}

QualifiedName object_name(const Node* object) {
  if (const auto* list = as<PgQuery__List>(object)) {
    return qualified_name(list->n_items, list->items);
  }
  if (const auto* string = as<PgQuery__String>(object)) return {"", string->sval};
  if (const auto* type = as<PgQuery__TypeName>(object)) {
    return qualified_name(type->n_names, type->names);
  }
  if (const auto* function = as<PgQuery__ObjectWithArgs>(object)) {
    return qualified_name(function->n_objname, function->objname);
  }
  return {};
}

std::optional<std::string> string_value(const Node* node) {
  const auto* constant = as<PgQuery__AConst>(node);
  if (constant && constant->val_case == PG_QUERY__A__CONST__VAL_SVAL) return constant->sval->sval;
  if (const auto* string = as<PgQuery__String>(node)) return string->sval;
  return std::nullopt;
}

std::optional<std::int64_t> integer_value(const Node* node) {
  if (const auto* integer = as<PgQuery__Integer>(node)) return integer->ival;
  if (const auto* constant = as<PgQuery__AConst>(node)) {
    if (constant->val_case == PG_QUERY__A__CONST__VAL_IVAL) return constant->ival->ival;
    if (constant->val_case == PG_QUERY__A__CONST__VAL_FVAL) {
      return parse_integer(constant->fval->fval);
    }
  }
  return std::nullopt;
}

bool is_null_constant(const Node* node) {
  const auto* constant = as<PgQuery__AConst>(node);
  return constant && constant->isnull;
}

std::optional<std::string> option_value(const Node* argument) {
  if (const auto text = string_value(argument)) return text;
  if (const auto number = integer_value(argument)) return std::to_string(*number);
  if (const auto* decimal = as<PgQuery__Float>(argument)) return decimal->fval;
  if (const auto* boolean = as<PgQuery__Boolean>(argument)) {
    return boolean->boolval ? "true" : "false";
  }
  // A bare word such as csv is read as the name of a type.
  if (const auto* type = as<PgQuery__TypeName>(argument)) return type_text(*type);
  if (as<PgQuery__AStar>(argument)) return "*";
  if (const auto* list = as<PgQuery__List>(argument)) {
    std::string joined;
    for (Node* const item : std::span(list->items, list->n_items)) {
      if (!joined.empty()) joined += ",";
      joined += option_value(item).value_or("");
    }
    return joined;
  }
  if (const auto* constant = as<PgQuery__AConst>(argument)) {
    if (constant->val_case == PG_QUERY__A__CONST__VAL_FVAL) return constant->fval->fval;
    if (constant->val_case == PG_QUERY__A__CONST__VAL_BOOLVAL) {
      return constant->boolval->boolval ? "true" : "false";
    }
  }
  return std::nullopt;
}

std::vector<Option> options_in(std::size_t count, Node* const* items) {
  std::vector<Option> options;
  for (Node* const item : std::span(items, count)) {
    const auto* element = as<PgQuery__DefElem>(item);
    if (!element) continue;
    Option option{element->defnamespace, element->defname, option_value(element->arg),
                  Option::Action::kSet, element->location};
    if (element->defaction == PG_QUERY__DEF_ELEM_ACTION__DEFELEM_ADD) {
      option.action = Option::Action::kAdd;
    } else if (element->defaction == PG_QUERY__DEF_ELEM_ACTION__DEFELEM_DROP) {
      option.action = Option::Action::kDrop;
    }
    options.push_back(std::move(option));
  }
  return options;
}

}  // namespace coppice::sql
