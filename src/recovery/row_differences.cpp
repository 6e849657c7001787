#include "recovery/row_differences.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "backup/row_sums.h"
#include "backup/runs.h"
#include "base/text.h"
#include "engine/named_table.h"
#include "pg/copy.h"

namespace coppice::recovery {
namespace {

using nlohmann::json;

constexpr std::size_t kMostRowsNamed = 5;

struct HashOfKey {
  std::size_t operator()(const RowKey& key) const {
    return std::hash<std::int64_t>()(key.from * 0x9E3779B97F4A7C15 + key.row);
  }
};
using Cells = std::unordered_map<RowKey, std::size_t, HashOfKey>;

// A hash of the fields from the `first` one on.
std::size_t hash_of(std::string_view line, std::size_t first) {
  for (std::size_t i = 0; i < first; ++i) line.remove_prefix(line.find('\t') + 1);
  if (line.ends_with('\n')) line.remove_suffix(1);
  return std::hash<std::string_view>()(line);
}

class RowFinder {
 public:
  RowFinder(engine::EngineContext& context, const catalog::TableInfo& table,
            const std::vector<std::string>& columns)
      : context_(context), table_(table), columns_(columns) {
    pg::Connection reading = context.main.open_another();
    canonical_session(reading);
    pg::CopyOut rows(reading,
                     fmt::format("COPY (SELECT _from, _row, {} FROM {} WHERE _to = {}) TO STDOUT",
                                 join(columns, ", "), table.store_table(), catalog::kCurrentText));
    while (const auto line = rows.read()) restored_[key_of(*line)] = hash_of(*line, 2);
  }

  void compare(const repo::Repository& repository, const TableRuns& runs) {
    const MergeRequest request{columns_, nullptr};
    for (std::size_t run = 0; run < runs.runs.size() && !is_enough(); ++run) {
      if (runs.runs[run].kind != RunKind::kRows) continue;
      // That backup is of before the columns.
      if (merged_columns(runs, run, request) != columns_) continue;
      const std::size_t head = runs.runs[run].has_parent ? 4 : 3;
      merge_run(repository, runs, run, request, [&](std::string_view line) {
        const auto found = restored_.find(key_of(line));
        if (found == restored_.end() || is_enough()) return;
        if (found->second != hash_of(line, head)) differing_.insert(found->first);
      });
    }
  }

  std::vector<std::string> names() {
    std::vector<std::string> names;
    for (const RowKey& key : differing_) {
      const pg::Result row =
          context_.main.exec(fmt::format("SELECT {} FROM {} t WHERE _from = {} AND _row = {}",
                                         engine::row_key_sql(table_, table_.columns, "t"),
                                         table_.store_table(), key.from, key.row));
      if (row.rows() > 0) names.emplace_back(row.text(0, 0));
    }
    return names;
  }

 private:
  bool is_enough() const { return differing_.size() >= kMostRowsNamed; }

  engine::EngineContext& context_;
  const catalog::TableInfo& table_;
  const std::vector<std::string>& columns_;
  Cells restored_;
  std::set<RowKey> differing_;
};

std::optional<TableRuns> runs_in(const repo::Repository& repository, const KnownBackup& backup,
                                 std::int64_t table) {
  const Tree home = Tree::read(repository, backup.manifest.tree);
  return home.checked([&]() -> std::optional<TableRuns> {
    for (const json& item : home.member("tables")) {
      if (item.at("table_id") == table) {
        return read_table(repository, home.tree(item.at("tree")));
      }
    }
    return std::nullopt;
  });
}

}  // namespace

std::vector<std::string> differing_rows(engine::EngineContext& context,
                                        const repo::Repository& repository,
                                        const std::vector<const KnownBackup*>& backups,
                                        const catalog::TableInfo& table,
                                        const std::vector<std::string>& columns) {
  const pg::Result count = context.main.exec(fmt::format(
      "SELECT count(*) FROM {} WHERE _to = {}", table.store_table(), catalog::kCurrentText));
  if (static_cast<std::uint64_t>(count.integer(0, 0)) > kMostRowsCompared) return {};
  RowFinder finder(context, table, columns);
  for (const KnownBackup* backup : backups) {
    if (const auto runs = runs_in(repository, *backup, table.table_id)) {
      finder.compare(repository, *runs);
    }
  }
  return finder.names();
}

}  // namespace coppice::recovery
