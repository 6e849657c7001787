#include "recovery/export_history.h"

#include <fmt/core.h>

#include <map>
#include <nlohmann/json.hpp>

#include "backup/runs.h"
#include "base/error.h"
#include "base/text.h"
#include "catalog/expressions.h"
#include "recovery/catalog_lines.h"
#include "sql/names.h"

namespace coppice::recovery {
namespace {

using nlohmann::json;

constexpr std::uint64_t kRowsOfProgress = 65'536;

// A table of the catalog, as far as it says what versions and columns there were.
struct HistoryList {
  const char* table;
  std::vector<std::pair<const char*, const char*>> columns;  // name, type
};

const std::vector<HistoryList>& lists() {
  static const std::vector<HistoryList> kLists = {
      {"tables",
       {{"table_id", "bigint PRIMARY KEY"},
        {"tree_id", "bigint NOT NULL"},
        {"schema_name", "text NOT NULL"},
        {"table_name", "text NOT NULL"}}},
      {"columns",
       {{"table_id", "bigint NOT NULL"},
        {"column_id", "bigint NOT NULL"},
        {"from_version", "bigint NOT NULL"},
        {"to_version", "bigint"},
        {"physical", "text NOT NULL"},
        {"name", "text NOT NULL"},
        {"position", "integer NOT NULL"},
        {"type", "text NOT NULL"},
        {"expression", "text"}}},
      {"versions",
       {{"tree_id", "bigint NOT NULL"},
        {"version", "bigint NOT NULL"},
        {"op_id", "bigint NOT NULL"},
        {"published_at", "timestamptz NOT NULL"},
        {"high_op", "bigint NOT NULL"},
        {"open_ops", "bigint[] NOT NULL"}}},
      {"operations",
       {{"tree_id", "bigint NOT NULL"},
        {"op_id", "bigint NOT NULL"},
        {"table_name", "text NOT NULL"},
        {"kind", "text NOT NULL"},
        {"state", "text NOT NULL"},
        {"statement", "text NOT NULL"},
        {"author", "text NOT NULL"},
        {"version", "bigint"}}},
      {"snapshots",
       {{"tree_id", "bigint NOT NULL"}, {"name", "text NOT NULL"}, {"version", "bigint NOT NULL"}}},
  };
  return kLists;
}

class HistoryExport {
 public:
  HistoryExport(const repo::Repository& repository, const Tree& home, OutputFile& file,
                ResultSink& sink)
      : repository_(repository), home_(home), file_(file), sink_(sink) {}

  void write() {
    file_.write("CREATE SCHEMA coppice_history;\n");
    for (const HistoryList& list : lists()) write_list(list);
    const auto floors = floors_in(repository_, home_);
    for (const json& table : home_.member("tables")) {
      const auto id = table.at("table_id").get<std::int64_t>();
      const auto floor = floors.find(id);
      if (floor == floors.end()) {
        throw Error(ErrorCode::kIntegrity,
                    fmt::format("the backup lacks the floor of table {}", id));
      }
      write_rows(id, read_table(repository_, home_.tree(table.at("tree"))), floor->second);
    }
  }

 private:
  void write_list(const HistoryList& list) {
    std::vector<std::string> names, definitions;
    for (const auto& [name, type] : list.columns) {
      names.emplace_back(name);
      definitions.push_back(fmt::format("{} {}", name, type));
    }
    file_.write(fmt::format("CREATE TABLE coppice_history.{} (\n  {}\n);\n", list.table,
                            join(definitions, ",\n  ")));
    file_.write(
        fmt::format("COPY coppice_history.{} ({}) FROM stdin;\n", list.table, join(names, ", ")));
    std::string line;
    for_each_catalog_row(repository_, home_, list.table, names, [&](const auto& fields) {
      line.clear();
      for (const std::string_view field : fields) {
        if (!line.empty()) line += '\t';
        line += field;
      }
      file_.write(line += '\n');
    });
    file_.write("\\.\n\n");
  }

  // By physical column, its type.
  std::map<std::string, std::string> types_of(std::int64_t table) {
    std::map<std::string, std::string> types;
    const std::string id = std::to_string(table);
    for_each_catalog_row(repository_, home_, "columns", {"table_id", "physical", "type"},
                         [&](const auto& fields) {
                           if (fields[0] != id) return;
                           types[*catalog_value(fields[1])] = *catalog_value(fields[2]);
                         });
    return types;
  }

  void write_rows(std::int64_t id, const TableRuns& runs, const catalog::VersionInfo& floor) {
    const auto types = types_of(id);
    std::vector<std::string> definitions = {"_row bigint NOT NULL", "_from bigint NOT NULL",
                                            "_to bigint NOT NULL"};
    MergeRequest request;
    request.floor = &floor;
    for (const auto& [physical, type] : types) {
      definitions.push_back(physical + " " + catalog::store_type(type));
      request.columns.push_back(physical);
    }
    file_.write(fmt::format("CREATE TABLE coppice_history.t{} (\n  {}\n);\n", id,
                            join(definitions, ",\n  ")));
    Progress progress{fmt::format("exporting the history of table {}", id), 0, runs.rows()};
    std::vector<std::string_view> fields;
    for (std::size_t run = 0; run < runs.runs.size(); ++run) {
      if (runs.runs[run].kind != RunKind::kRows) continue;
      std::vector<std::string> names = {"_from", "_row", "_to"};
      const bool has_parent = runs.runs[run].has_parent;
      const std::vector<std::string> columns = merged_columns(runs, run, request);
      names.insert(names.end(), columns.begin(), columns.end());
      file_.write(
          fmt::format("COPY coppice_history.t{} ({}) FROM stdin;\n", id, join(names, ", ")));
      merge_run(repository_, runs, run, request, [&](std::string_view line) {
        write_line(line, has_parent, fields);
        if (++progress.done % kRowsOfProgress == 0) sink_.progress(progress);
      });
      file_.write("\\.\n\n");
    }
  }

  // Without _parent: which row of its table a view's row was made of is no value.
  void write_line(std::string_view line, bool has_parent, std::vector<std::string_view>& fields) {
    if (!has_parent) return file_.write(line);
    split_fields(line, fields);
    std::string kept;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (i == 3) continue;
      if (i > 0) kept += '\t';
      kept += fields[i];
    }
    file_.write(kept + "\n");
  }

  const repo::Repository& repository_;
  const Tree& home_;
  OutputFile& file_;
  ResultSink& sink_;
};

}  // namespace

void export_history(const repo::Repository& repository, const Tree& home, OutputFile& file,
                    ResultSink& sink) {
  HistoryExport(repository, home, file, sink).write();
}

}  // namespace coppice::recovery
