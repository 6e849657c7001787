#include "recovery/backup_roots.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "backup/tree.h"
#include "base/error.h"
#include "base/text.h"
#include "recovery/choose.h"
#include "recovery/open_repository.h"
#include "sql/names.h"

namespace coppice::recovery {
namespace {

using nlohmann::json;

RootReport::Table table_of(const json& item) {
  RootReport::Table table;
  table.name = item.at("table").get<std::string>();
  table.root = item.at("root").get<std::string>();
  table.rows = table.current_rows = item.at("rows").get<std::int64_t>();
  table.rows_sum = item.value("rows_sum", "");
  for (const json& column : item.at("columns")) {
    if (!column.contains("root")) continue;
    table.columns.push_back({column.at("name").get<std::string>(),
                             column.at("root").get<std::string>(), column.value("sum", "")});
  }
  return table;
}

// `names`: of what there is.
Error no_such(const std::string& what, const std::string& name,
              const std::vector<std::string>& names) {
  return Error(ErrorCode::kNotFound, fmt::format("the backup has no {} {}", what, name),
               did_you_mean(name, names));
}

const RootReport::Table& table_named(const RootReport& report, const std::string& text) {
  sql::QualifiedName name = sql::parse_qualified_name(text);
  if (name.schema.empty()) name.schema = "public";
  std::vector<std::string> names;
  for (const RootReport::Table& table : report.tables) {
    sql::QualifiedName other = sql::parse_qualified_name(table.name);
    if (other.schema.empty()) other.schema = "public";
    if (other == name) return table;
    names.push_back(table.name);
  }
  throw no_such("table", text, names);
}

const std::string& column_root(const RootReport::Table& table, const std::string& name) {
  std::vector<std::string> names;
  for (const RootReport::Column& column : table.columns) {
    if (column.name == name) return column.root;
    names.push_back(column.name);
  }
  if (names.empty()) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{} has no primary key, and so no roots of columns", table.name));
  }
  throw no_such("column", table.name + "." + name, names);
}

}  // namespace

RootReport backup_roots(const RepositoryAddress& repository, const std::string& backup,
                        const RootRequest& request, ResultSink& sink) {
  const OpenRepository open = open_repository(repository, sink);
  const std::vector<KnownBackup> backups = known_backups(*open.repository, sink);
  const KnownBackup& known = chosen_backup(backups, backup, std::nullopt);
  const Tree home = Tree::read(*open.repository, known.manifest.tree);
  RootReport report;
  home.checked([&] {
    std::map<std::int64_t, std::int64_t> versions;
    for (const json& table : home.member("tables")) {
      versions[table.at("table_id").get<std::int64_t>()] = table.at("version").get<std::int64_t>();
    }
    for (const json& item : home.member("roots")) {
      report.tables.push_back(table_of(item));
      report.tables.back().version = versions[item.at("table_id").get<std::int64_t>()];
    }
  });
  report.content_root = known.manifest.root;
  report.root = request.history ? known.manifest.history_root : known.manifest.root;
  if (request.table) {
    const RootReport::Table table = table_named(report, *request.table);
    report.root = request.column ? column_root(table, *request.column) : table.root;
    report.tables = {table};
  }
  return report;
}

}  // namespace coppice::recovery
