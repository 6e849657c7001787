// Computed columns' expressions, bound to the engine functions they call.
#pragma once

#include <string>

#include "engine/context.h"
#include "exec/scope.h"
#include "sql/parse.h"

namespace coppice::engine {

struct BoundExpression {
  sql::Statement expression;  // in the user's names, engine calls bound
  std::string store_sql;      // the same in physical names, as PostgreSQL type-checks it
  bool uses_engine = false;
};

// Binds the expression of a computed column. Errors are those of the binder, and kType when its
// media kind is not the column's.
BoundExpression bind_column_expression(EngineContext& context, const catalog::TableInfo& table,
                                       const catalog::ColumnInfo& column);

// A bound expression with the conversion that an assignment to the column does: to its type, and
// failing where it is too long. What a worker gives in the column's own form stays as it is.
sql::Node* as_assigned(EngineContext& context, const catalog::ColumnInfo& column,
                       sql::Node* expression, sql::Arena& arena);

// What a table's columns are to the binder.
exec::ColumnKinds column_kinds(const catalog::TableInfo& table);

// Tables, views and versions, as the binder asks for them.
class CatalogKinds final : public exec::RelationKinds {
 public:
  explicit CatalogKinds(EngineContext& context) : context_(context) {}
  std::optional<exec::ColumnKinds> columns_of(const sql::VersionedName& relation) override;

 private:
  std::optional<exec::ColumnKinds> columns_of_version(const std::string& view_name);
  std::optional<exec::ColumnKinds> columns_of_working_view(const std::string& view_name);

  EngineContext& context_;
};

}  // namespace coppice::engine
