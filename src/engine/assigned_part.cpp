#include "engine/assigned_part.h"

#include <fmt/core.h>

#include "catalog/expressions.h"
#include "sql/make.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using sql::as;

// ARRAY[a, b]::type[]
sql::Node* array_of(sql::Arena& arena, const std::vector<sql::Node*>& items,
                    const std::string& type) {
  std::vector<sql::Node*> cast;
  for (sql::Node* item : items) cast.push_back(sql::make::type_cast(arena, item, type));
  sql::Statement shell = sql::parse_expression("ARRAY[1]");
  sql::Node* array = sql::clone(arena, shell.node());
  auto* elements = as<PgQuery__AArrayExpr>(array);
  elements->location = -1;
  sql::make::set_list(arena, cast, elements->n_elements, elements->elements);
  return array;
}

sql::Node* call(sql::Arena& arena, const char* function, std::vector<sql::Node*> arguments) {
  return sql::make::function_call(arena, "coppice_store", function, arguments);
}

}  // namespace

sql::Node* with_part(const ColumnInfo& column, sql::Node* whole, const PgQuery__ResTarget& target,
                     sql::Node* value, sql::Statement& statement) {
  sql::Arena& arena = statement.arena();
  const auto refuse = [&](ErrorCode code, const std::string& what, const std::string& hint) {
    throw statement.error(code, target.location, what, hint);
  };
  if (value->node_case == PG_QUERY__NODE__NODE_SET_TO_DEFAULT) {
    refuse(ErrorCode::kSyntax, "a part of a column cannot be set to DEFAULT", "");
  }
  const bool json = column.type == "jsonb";
  const bool array = column.type.ends_with("[]");
  std::vector<sql::Node*> places;
  bool slice = false;
  for (const sql::Node* node : sql::nodes(target.n_indirection, target.indirection)) {
    const auto* index = as<PgQuery__AIndices>(node);
    if (index == nullptr) {
      refuse(ErrorCode::kUnsupported,
             fmt::format("a field of column \"{}\" cannot be assigned", column.name),
             "assign the whole value");
    }
    if (!json && !array) {
      refuse(ErrorCode::kType,
             fmt::format("cannot subscript type {} because it does not support subscripting",
                         column.type),
             "");
    }
    slice = slice || index->is_slice;
    if (index->is_slice &&
        (index->lidx == nullptr || index->uidx == nullptr || json || target.n_indirection > 1)) {
      refuse(ErrorCode::kUnsupported, "this slice cannot be assigned",
             "give both bounds, of one dimension: a[1:2]");
    }
    if (index->is_slice) places.push_back(index->lidx);
    places.push_back(index->uidx);
  }
  const std::string type = catalog::store_type(column.type);
  if (json) {
    return call(arena, "with_subscript",
                {whole, array_of(arena, places, "text"), sql::make::type_cast(arena, value, type)});
  }
  if (slice) {
    return call(arena, "with_slice",
                {whole, places[0], places[1], sql::make::type_cast(arena, value, type)});
  }
  const std::string element = column.type.substr(0, column.type.size() - 2);
  return call(arena, "with_element",
              {whole, array_of(arena, places, "integer"),
               sql::make::type_cast(arena, value, catalog::assignment_type(element))});
}

}  // namespace coppice::engine
