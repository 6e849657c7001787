// LineageGraph: every column of the home, and which it is made from.
//
// Model    A node is a column of a table, of a plain view, or of an older version that a view
//          reads. An edge says that values flow: from the columns that an expression or a view's
//          select list reads to the column it gives; of a materialized view from its parent's
//          columns, through the arguments of its iterator. Views are read as PostgreSQL keeps them,
//          so renames are followed.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/context.h"

namespace coppice::engine {

struct LineageNode {
  std::string relation;    // "films.film", "films.\"film:3\""
  std::string column;      // as SQL writes it
  std::string kind;        // "column", "computed", "view", "version"
  std::string type;        // "image", "bigint", …
  std::string expression;  // of a computed column
};

class LineageGraph {
 public:
  explicit LineageGraph(EngineContext& context);

  const LineageNode& node(const std::string& id) const { return nodes_.at(id); }
  bool has(const std::string& id) const { return nodes_.contains(id); }
  // The columns of a table or view, in their order.
  std::vector<std::string> columns_of(const sql::QualifiedName& relation) const;
  const std::set<std::string>& sources(const std::string& id) const;
  const std::set<std::string>& uses(const std::string& id) const;

  static std::string id_of(const std::string& relation, const std::string& column);

 private:
  std::string add(const sql::QualifiedName& relation, const std::string& column,
                  LineageNode description);
  void connect(const std::string& source, const std::string& use);
  void add_table(const catalog::TableInfo& table);
  void connect_materialized(EngineContext& context, const catalog::TableInfo& view);
  void add_view_columns(EngineContext& context);
  void connect_views(EngineContext& context);
  void add_version(EngineContext& context, const std::string& view_name);

  std::map<std::string, LineageNode> nodes_;
  std::map<std::string, std::vector<std::string>> relations_;  // by the relation's text
  std::map<std::string, std::set<std::string>> sources_;
  std::map<std::string, std::set<std::string>> uses_;
  std::map<std::string, std::string> version_views_;  // "t12_v3": the relation it stands for
};

}  // namespace coppice::engine
