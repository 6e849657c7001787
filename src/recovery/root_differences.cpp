#include "recovery/root_differences.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "backup/tree.h"
#include "base/text.h"
#include "recovery/row_differences.h"

namespace coppice::recovery {
namespace {

using engine::EngineContext;
using nlohmann::json;

// Other backups that rows are looked for in.
constexpr std::size_t kMostCompared = 3;

bool has_root(const json& table, const RootReport::Column& column) {
  const json& columns = table.at("columns");
  return std::any_of(columns.begin(), columns.end(), [&](const json& expected) {
    return expected.at("name") == column.name && expected.value("root", "") == column.root;
  });
}

class Differences {
 public:
  Differences(EngineContext& context, const repo::Repository& repository, const KnownBackup& backup,
              ResultSink& sink)
      : context_(context), repository_(repository), backup_(backup), sink_(sink) {}

  std::vector<std::string> find(const RootReport& roots) {
    std::map<std::string, json> expected;
    const Tree home = Tree::read(repository_, backup_.manifest.tree);
    home.checked([&] {
      for (const json& table : home.member("roots")) {
        expected[table.at("table").get<std::string>()] = table;
      }
      for (const RootReport::Table& table : roots.tables) {
        const auto found = expected.find(table.name);
        if (found == expected.end() || found->second.at("root") == table.root) continue;
        compare(table, found->second);
      }
    });
    if (found_.empty()) found_.emplace_back("schemas, functions, views, grants or settings");
    return std::move(found_);
  }

 private:
  void compare(const RootReport::Table& table, const json& expected) {
    const std::size_t before = found_.size();
    for (const RootReport::Column& column : table.columns) {
      if (has_root(expected, column)) continue;
      found_.push_back(table.name + "." + column.name + rows_of(expected, column.name));
    }
    if (found_.size() == before) found_.push_back(table.name + rows_of(expected, {}));
  }

  // Of one column, or of all.
  std::string rows_of(const json& expected, const std::string& name) {
    const catalog::TablePointer table =
        context_.catalog.table_by_id(expected.at("table_id").get<std::int64_t>());
    std::vector<std::string> columns;
    for (const json& column : expected.at("columns")) {
      if (!name.empty() && column.at("name") != name) continue;
      columns.push_back(column.at("physical").get<std::string>());
    }
    if (table == nullptr || columns.empty()) return {};
    const std::vector<std::string> rows =
        differing_rows(context_, repository_, compared(), *table, columns);
    return rows.empty() ? "" : " of the rows " + join(rows, "; ");
  }

  const std::vector<const KnownBackup*>& compared() {
    if (!compared_.empty()) return compared_;
    all_ = read_backups(repository_, repository_.listed_manifests(), sink_);
    compared_ = {&backup_};
    for (auto other = all_.rbegin(); other != all_.rend(); ++other) {
      if (compared_.size() > kMostCompared) break;
      const bool same_home = other->manifest.home_id == backup_.manifest.home_id;
      if (same_home && other->id != backup_.id) compared_.push_back(&*other);
    }
    return compared_;
  }

  EngineContext& context_;
  const repo::Repository& repository_;
  const KnownBackup& backup_;
  ResultSink& sink_;
  std::vector<KnownBackup> all_;
  std::vector<const KnownBackup*> compared_;
  std::vector<std::string> found_;
};

}  // namespace

std::vector<std::string> root_differences(EngineContext& context,
                                          const repo::Repository& repository,
                                          const KnownBackup& backup, const RootReport& roots,
                                          ResultSink& sink) {
  return Differences(context, repository, backup, sink).find(roots);
}

}  // namespace coppice::recovery
