#include "engine/lineage.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "engine/emit.h"
#include "engine/lineage_graph.h"

namespace coppice::engine {
namespace {

using Neighbours = const std::set<std::string>& (LineageGraph::*)(const std::string&) const;

// TABLE, SCHEMA.TABLE, TABLE.COLUMN or SCHEMA.TABLE.COLUMN, as ids of nodes.
std::vector<std::string> find_columns(EngineContext& context, const LineageGraph& graph,
                                      const std::string& name) {
  std::optional<sql::QualifiedName> relation;
  try {
    relation = sql::parse_qualified_name(name);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUsage) throw;  // three parts, perhaps
  }
  if (relation) {
    std::vector<std::string> columns = graph.columns_of(*relation);
    if (!columns.empty()) return columns;
    if (relation->schema.empty()) context.catalog.throw_unknown_table(*relation);
  }
  const sql::ColumnName column = sql::parse_column_name(name);
  const std::vector<std::string> columns = graph.columns_of(column.table);
  if (columns.empty()) context.catalog.throw_unknown_table(relation.value_or(column.table));
  std::vector<std::string> names;
  for (const std::string& id : columns) {
    if (graph.node(id).column == sql::quote_identifier(column.column)) return {id};
    names.push_back(graph.node(id).column);
  }
  throw Error(ErrorCode::kNotFound,
              fmt::format("column \"{}\" of relation \"{}\" does not exist", column.column,
                          column.table.name),
              did_you_mean(column.column, names));
}

std::string describe(const LineageGraph& graph, const std::string& id) {
  const LineageNode& node = graph.node(id);
  std::string text = fmt::format("{} {}", id, node.type);
  if (node.kind == "computed") text += " = " + node.expression;
  if (node.kind == "view") text += " (view)";
  return text;
}

// One direction of one column's tree.
class Branch {
 public:
  Branch(const LineageGraph& graph, Neighbours neighbours, RowsOut& out)
      : graph_(graph), neighbours_(neighbours), out_(out) {}

  void print(const std::string& id, std::size_t depth) {
    for (const std::string& next : (graph_.*neighbours_)(id)) {
      const bool known = !seen_.insert(next).second;
      const bool more = known && !(graph_.*neighbours_)(next).empty();
      out_.row({std::string(2 * depth, ' ') + describe(graph_, next) + (more ? " …" : "")});
      if (!known) print(next, depth + 1);
    }
  }

 private:
  const LineageGraph& graph_;
  Neighbours neighbours_;
  RowsOut& out_;
  std::set<std::string> seen_;
};

void print_text(const LineageGraph& graph, const std::vector<std::string>& starts, RowsOut& out) {
  for (const std::string& start : starts) {
    out.row({describe(graph, start)});
    if (!graph.sources(start).empty()) {
      out.row({"  made from"});
      Branch(graph, &LineageGraph::sources, out).print(start, 2);
    }
    if (!graph.uses(start).empty()) {
      out.row({"  used by"});
      Branch(graph, &LineageGraph::uses, out).print(start, 2);
    }
  }
}

// All that can be reached in one direction.
void reach(const LineageGraph& graph, Neighbours neighbours, const std::string& start,
           std::set<std::string>& reached) {
  std::vector<std::string> waiting = {start};
  std::set<std::string> seen = {start};
  while (!waiting.empty()) {
    const std::string id = waiting.back();
    waiting.pop_back();
    reached.insert(id);
    for (const std::string& next : (graph.*neighbours)(id)) {
      if (seen.insert(next).second) waiting.push_back(next);
    }
  }
}

std::set<std::string> connected(const LineageGraph& graph, const std::vector<std::string>& starts) {
  std::set<std::string> reached;
  for (const std::string& start : starts) {
    reach(graph, &LineageGraph::sources, start, reached);
    reach(graph, &LineageGraph::uses, start, reached);
  }
  return reached;
}

void print_json(const LineageGraph& graph, const std::set<std::string>& ids, RowsOut& out) {
  nlohmann::ordered_json document = {{"nodes", nlohmann::json::array()},
                                     {"edges", nlohmann::json::array()}};
  for (const std::string& id : ids) {
    const LineageNode& node = graph.node(id);
    nlohmann::ordered_json described = {{"id", id},
                                        {"relation", node.relation},
                                        {"column", node.column},
                                        {"kind", node.kind},
                                        {"type", node.type}};
    if (!node.expression.empty()) described["expression"] = node.expression;
    document["nodes"].push_back(std::move(described));
    for (const std::string& use : graph.uses(id)) {
      if (ids.contains(use)) document["edges"].push_back({{"from", id}, {"to", use}});
    }
  }
  out.row({document.dump()});
}

std::string dot_text(const std::string& text, const std::string& second_line = {}) {
  std::string quoted;
  const auto add = [&](const std::string& line) {
    for (const char c : line) {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c;
    }
  };
  add(text);
  if (!second_line.empty()) quoted += "\\n";
  add(second_line);
  return '"' + quoted + '"';
}

void print_dot(const LineageGraph& graph, const std::set<std::string>& ids, RowsOut& out) {
  out.row({"digraph lineage {"});
  out.row({"  rankdir=LR; node [shape=box];"});
  for (const std::string& id : ids) {
    const LineageNode& node = graph.node(id);
    const char* style = node.kind == "computed" ? ", style=rounded"
                        : node.kind == "view"   ? ", style=dashed"
                                                : "";
    out.row({fmt::format("  {} [label={}{}];", dot_text(id), dot_text(id, node.type), style)});
  }
  for (const std::string& id : ids) {
    for (const std::string& use : graph.uses(id)) {
      if (ids.contains(use)) {
        out.row({fmt::format("  {} -> {};", dot_text(id), dot_text(use))});
      }
    }
  }
  out.row({"}"});
}

}  // namespace

void show_lineage(EngineContext& context, const std::string& name, LineageFormat format,
                  ResultSink& sink) {
  const LineageGraph graph(context);
  const std::vector<std::string> starts = find_columns(context, graph, name);
  RowsOut out(sink, {{"lineage", format == LineageFormat::kJson ? "json" : "text"}});
  switch (format) {
    case LineageFormat::kText:
      print_text(graph, starts, out);
      break;
    case LineageFormat::kJson:
      print_json(graph, connected(graph, starts), out);
      break;
    case LineageFormat::kDot:
      print_dot(graph, connected(graph, starts), out);
      break;
  }
  out.end();
}

}  // namespace coppice::engine
