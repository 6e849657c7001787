#include "catalog/expressions.h"

#include <fmt/core.h>

#include "base/error.h"
#include "base/text.h"
#include "sql/deparse.h"
#include "sql/make.h"
#include "sql/parse.h"
#include "sql/read.h"

namespace coppice::catalog {
namespace {

using sql::as;
using sql::Visit;

// The column a reference names; a table's name in front of it is allowed.
std::string column_of(const TableInfo& table, const PgQuery__ColumnRef& reference) {
  const std::vector<std::string> names = sql::column_ref_names(reference);
  const bool qualified = names.size() > 1;
  if (names.back() == "*" || names.size() > 3 ||
      (qualified && names[names.size() - 2] != table.name.name)) {
    throw Error(ErrorCode::kNotFound, fmt::format("\"{}\" is not a column of table {}",
                                                  join(names, "."), table.user_name()));
  }
  return names.back();
}

const ColumnInfo& find_column(const TableInfo& table, const std::string& name) {
  if (const ColumnInfo* column = table.find_column(name)) return *column;
  std::vector<std::string> names;
  for (const ColumnInfo* column : table.visible_columns()) names.push_back(column->name);
  throw Error(ErrorCode::kNotFound, fmt::format("column \"{}\" does not exist", name),
              did_you_mean(name, names));
}

std::optional<std::string> refused_form(sql::Message& message) {
  if (as<PgQuery__SubLink>(message) != nullptr) return "a subquery";
  if (as<PgQuery__ParamRef>(message) != nullptr) return "a parameter";
  if (const auto* call = as<PgQuery__FuncCall>(message)) {
    if (call->over != nullptr) return "a window function";
    if (call->agg_star || call->agg_distinct || call->n_agg_order > 0 ||
        call->agg_filter != nullptr || call->agg_within_group) {
      return "an aggregate";
    }
  }
  return std::nullopt;
}

}  // namespace

void check_expression_form(std::string_view expression, std::string_view what) {
  sql::Statement parsed = sql::parse_expression(expression);
  sql::walk(parsed.node(), [&](sql::Message& message) {
    if (const auto form = refused_form(message)) {
      throw Error(ErrorCode::kUnsupported,
                  fmt::format("a {} cannot hold {}: {}", what, *form, expression),
                  "it may read columns of its own row only");
    }
    if (what == "default" && as<PgQuery__ColumnRef>(message) != nullptr) {
      throw Error(ErrorCode::kUnsupported,
                  fmt::format("a default cannot read columns: {}", expression),
                  "a value that follows other columns is a computed one: "
                  "GENERATED ALWAYS AS (…) STORED");
    }
    return Visit::kInto;
  });
}

std::set<std::string> columns_read(const TableInfo& table, std::string_view expression) {
  sql::Statement parsed = sql::parse_expression(expression);
  std::set<std::string> names;
  sql::walk(parsed.node(), [&](sql::Message& message) {
    if (const auto* reference = as<PgQuery__ColumnRef>(message)) {
      names.insert(find_column(table, column_of(table, *reference)).name);
    }
    return Visit::kInto;
  });
  return names;
}

void use_store_names(const TableInfo& table, sql::Node*& expression, sql::Arena& arena,
                     std::string_view prefix) {
  sql::walk(expression, [&](sql::Message& message) {
    if (auto* type = as<PgQuery__TypeName>(message); type != nullptr && type->n_names == 1) {
      const auto* name = as<PgQuery__String>(type->names[0]);
      if (name != nullptr && media_kind_of_type(name->sval)) {
        sql::Node* const qualified[] = {sql::make::name(arena, "coppice"), type->names[0]};
        sql::make::set_list(arena, qualified, type->n_names, type->names);
      }
    }
    auto* reference = as<PgQuery__ColumnRef>(message);
    if (reference == nullptr) return Visit::kInto;
    const ColumnInfo& column = find_column(table, column_of(table, *reference));
    std::vector<sql::Node*> names;
    if (!prefix.empty()) names.push_back(sql::make::name(arena, prefix));
    names.push_back(sql::make::name(arena, column.physical));
    sql::make::set_list(arena, names, reference->n_fields, reference->fields);
    return Visit::kSkip;
  });
}

std::string in_store_names(const TableInfo& table, std::string_view expression,
                           std::string_view prefix) {
  sql::Statement parsed = sql::parse_expression(expression);
  use_store_names(table, parsed.root(), parsed.arena(), prefix);
  return sql::deparse_expression(parsed.node());
}

std::string store_type(std::string_view user_type) {
  const bool array = user_type.ends_with("[]");
  const std::string_view element = array ? user_type.substr(0, user_type.size() - 2) : user_type;
  if (!media_kind_of_type(element) || element.starts_with("coppice.")) {
    return std::string(user_type);
  }
  return "coppice." + std::string(user_type);
}

std::string assignment_type(std::string_view user_type) {
  const std::string type = store_type(user_type);
  const std::string array = type.ends_with("[]") ? "[]" : "";
  const std::string name = type.substr(0, type.find_first_of("(["));
  // Without a length "character" and "bit" are of length 1.
  if (name == "character" || name == "char") return "bpchar" + array;
  if (name == "bit") return "bit varying" + array;
  if (name == "character varying" || name == "varchar" || name == "bit varying") {
    return name + array;
  }
  return type;
}

}  // namespace coppice::catalog
