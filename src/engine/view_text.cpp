#include "engine/view_text.h"

#include <fmt/core.h>

#include "exec/syntax.h"
#include "sql/deparse.h"
#include "sql/read.h"
#include "sql/references.h"

namespace coppice::engine {
namespace {

using sql::as;

// coppice_asof.t12_v3 is "film:3" again.
void use_version_name(EngineContext& context, PgQuery__RangeVar& relation, sql::Arena& arena) {
  const std::string view = relation.relname;
  const std::size_t mark = view.rfind("_v");
  if (std::string_view(relation.schemaname) != "coppice_asof" || mark == std::string::npos) return;
  const pg::Result table = context.main.exec_cached(
      "SELECT schema_name, table_name FROM coppice.tables WHERE store_name = $1",
      {view.substr(0, mark)});
  if (table.rows() == 0) return;
  const bool is_public = table.text(0, 0) == "public";
  const std::string name = fmt::format("{}:{}", table.text(0, 1), view.substr(mark + 2));
  relation.schemaname = arena.copy(is_public ? "" : std::string(table.text(0, 0)));
  relation.relname = arena.copy(name);
  const bool same = relation.alias != nullptr && name == relation.alias->aliasname;
  if (same && relation.alias->n_colnames == 0) relation.alias = nullptr;
}

bool has_star(const std::string& query) {
  sql::Statement statement = sql::parse_statement(query);
  for (const PgQuery__ColumnRef* reference : sql::collect_column_refs(statement.node())) {
    if (exec::is_star(*reference)) return true;
  }
  return false;
}

}  // namespace

std::string view_text(EngineContext& context, const std::string& view) {
  const pg::Result text =
      context.main.exec_cached("SELECT pg_get_viewdef(to_regclass($1))", {view});
  sql::Statement query = sql::parse_statement(text.text(0, 0));
  exec::unbind_calls(query.root(), query.arena());
  for (const sql::RelationUse& use : sql::collect_relations(query.node())) {
    use_version_name(context, *use.relation, query.arena());
  }
  return sql::deparse(query.node());
}

void renew_view_texts(EngineContext& context, const std::string& relation, TextChange change) {
  const pg::Result views = context.main.exec_params(
      "SELECT v.view_id, quote_ident(v.schema_name) || '.' || quote_ident(v.view_name), "
      "v.definition FROM coppice.dependent_views($1) d "
      "JOIN coppice.views v USING (schema_name, view_name)",
      {relation});
  for (int row = 0; row < views.rows(); ++row) {
    if (change == TextChange::kColumns && !has_star(std::string(views.text(row, 2)))) continue;
    context.main.exec_params(
        "UPDATE coppice.views SET definition = $2 WHERE view_id = $1",
        {std::string(views.text(row, 0)), view_text(context, std::string(views.text(row, 1)))});
  }
}

}  // namespace coppice::engine
