#include "engine/schema_model.h"

#include <algorithm>
#include <array>

#include "sql/deparse.h"
#include "sql/make.h"
#include "sql/read.h"
#include "sql/references.h"

namespace coppice::engine {
namespace {

using sql::as;

// Names of types that the grammar leaves as they are, though they are the same as SQL's words.
constexpr std::array<std::string_view, 12> kInternalNames = {
    "bool",   "int2",    "int4",   "int8", "float4",      "float8",
    "varbit", "varchar", "timetz", "time", "timestamptz", "timestamp"};

template <class Item>
const Item* find_named(const std::vector<Item>& items, const sql::QualifiedName& name) {
  const auto found =
      std::find_if(items.begin(), items.end(), [&](const Item& item) { return item.name == name; });
  return found == items.end() ? nullptr : &*found;
}

sql::QualifiedName with_schema(sql::QualifiedName name) {
  if (name.schema.empty()) name.schema = "public";
  return name;
}

bool reads(const ViewModel& view, const sql::QualifiedName& other) {
  sql::Statement query = sql::parse_statement(view.definition);
  for (const sql::RelationUse& use : sql::collect_relations(query.node())) {
    if (with_schema(sql::versioned_relation_name(*use.relation).table) == other) return true;
  }
  return false;
}

}  // namespace

const ColumnDraft* TableModel::find_column(std::string_view column) const {
  for (const ColumnDraft& known : draft.columns) {
    if (known.info.name == column) return &known;
  }
  return nullptr;
}

bool GrantModel::same_right(const GrantModel& other) const {
  return on_schema == other.on_schema && object == other.object && column == other.column &&
         grantee == other.grantee;
}

const TableModel* SchemaModel::find_table(const sql::QualifiedName& name) const {
  return find_named(tables, name);
}

const ViewModel* SchemaModel::find_view(const sql::QualifiedName& name) const {
  return find_named(views, name);
}

const FunctionModel* SchemaModel::find_function(std::string_view id) const {
  for (const FunctionModel& function : functions) {
    if (function.id == id) return &function;
  }
  return nullptr;
}

const NamedSchema* SchemaModel::find_schema(std::string_view name) const {
  for (const NamedSchema& schema : schemas) {
    if (schema.name == name) return &schema;
  }
  return nullptr;
}

std::string canonical_type(const std::string& type) {
  if (type.starts_with("coppice.")) return canonical_type(type.substr(8));
  sql::Arena arena;
  PgQuery__TypeName* parsed = sql::make::type_name(arena, type);
  if (parsed->n_names == 1) {
    const auto* name = as<PgQuery__String>(parsed->names[0]);
    const bool internal =
        std::find(kInternalNames.begin(), kInternalNames.end(), name->sval) != kInternalNames.end();
    if (internal) {
      sql::Node* const qualified[] = {sql::make::name(arena, "pg_catalog"), parsed->names[0]};
      sql::make::set_list(arena, qualified, parsed->n_names, parsed->names);
    }
  }
  return sql::type_text(*parsed);
}

std::string index_definition(sql::Statement& statement, const sql::QualifiedName& table,
                             const std::string& name) {
  auto& index = *as<PgQuery__IndexStmt>(statement.node());
  sql::Arena& arena = statement.arena();
  index.idxname = arena.copy("");
  index.if_not_exists = 0;
  index.concurrent = 0;
  index.relation->schemaname = arena.copy(table.schema == "public" ? "" : table.schema);
  index.relation->relname = arena.copy(table.name);
  std::string text = sql::deparse(statement.node());
  if (name.empty()) return text;
  // The library does not quote an index's name.
  constexpr std::string_view kBefore = "INDEX ";
  return text.insert(text.find(kBefore) + kBefore.size(), sql::quote_identifier(name) + " ");
}

std::vector<std::string> names_read(const std::string& expression) {
  sql::Statement parsed = sql::parse_expression(expression);
  std::vector<std::string> names;
  for (const PgQuery__ColumnRef* reference : sql::collect_column_refs(parsed.node())) {
    names.push_back(sql::column_ref_names(*reference).back());
  }
  return names;
}

void sort_by_dependency(std::vector<ViewModel>& views) {
  std::vector<ViewModel> sorted;
  while (!views.empty()) {
    const auto ready = std::find_if(views.begin(), views.end(), [&](const ViewModel& view) {
      return std::none_of(views.begin(), views.end(), [&](const ViewModel& other) {
        return &other != &view && reads(view, other.name);
      });
    });
    // A circle cannot be made; if a file describes one, PostgreSQL says which name is missing.
    const auto next = ready == views.end() ? views.begin() : ready;
    sorted.push_back(std::move(*next));
    views.erase(next);
  }
  views = std::move(sorted);
}

}  // namespace coppice::engine
