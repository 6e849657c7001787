#include "recovery/measure.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "backup/runs.h"
#include "backup/tree.h"
#include "base/error.h"
#include "engine/row_changes.h"
#include "pg/transaction.h"

namespace coppice::recovery {

using nlohmann::json;

Measurer::Measurer(const repo::Repository& repository, const KnownBackup* base)
    : repository_(repository) {
  if (base == nullptr) return;
  try {
    read_base(*base);
    measures_.base = base->id.hex();
    measures_.media_before = base->manifest.media_objects;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kIntegrity && error.code() != ErrorCode::kNotFound) throw;
    tables_.clear();
  }
}

void Measurer::read_base(const KnownBackup& base) {
  const Tree home = Tree::read(repository_, base.manifest.tree);
  home.checked([&] {
    for (const json& item : home.member("tables")) {
      Before& before = tables_[item.at("table_id").get<std::int64_t>()];
      before.name = item.at("name").get<std::string>();
      before.version = item.at("version").get<std::int64_t>();
      before.tree = home.tree(item.at("tree"));
    }
    for (const json& item : home.member("roots")) {
      const auto found = tables_.find(item.at("table_id").get<std::int64_t>());
      if (found != tables_.end()) found->second.rows = item.at("rows").get<std::uint64_t>();
    }
  });
}

void Measurer::table(pg::Connection& reading, const engine::TableContent& content) {
  const catalog::TableInfo& table = *content.table;
  const auto found = tables_.find(table.table_id);
  if (found == tables_.end()) return;
  Before& before = found->second;
  before.is_there = true;
  if (table.view) {  // its rows follow those of others
    tables_.erase(found);
    return;
  }
  // A home that was copied as files, and is behind it, has another history.
  const bool is_behind = content.version.version < before.version;
  if (is_behind) {
    tables_.erase(found);
    return;
  }
  before.fresh = 0;
  if (content.version.version == before.version) return;
  const catalog::VersionInfo point = read_table(repository_, before.tree).point;
  pg::Transaction transaction(reading, pg::TransactionMode::kReadOnly);
  engine::use_change_indexes(reading);
  const pg::Result rows = reading.exec(fmt::format(
      "SELECT count(*) FROM {} WHERE {} AND NOT ({}) AND (_to = {} OR {})", table.store_table(),
      engine::published_after(point, "_from"), engine::published_after(content.version, "_from"),
      catalog::kCurrentText, engine::published_after(content.version, "_to")));
  before.fresh = static_cast<std::uint64_t>(rows.integer(0, 0));
  transaction.commit();
}

void Measurer::rows_written(const repo::WriterCounts& before, const repo::WriterCounts& now) {
  measures_.row_bytes += now.new_bytes - before.new_bytes;
  measures_.row_packed_bytes += now.packed_bytes - before.packed_bytes;
}

void Measurer::media_written(const repo::WriterCounts& files) {
  measures_.media_bytes += files.new_bytes;
  measures_.media_packed_bytes += files.packed_bytes;
}

void Measurer::rows_now(const catalog::TableInfo& table, std::uint64_t rows) {
  rows_[table.table_id] = rows;
  if (table.view || tables_.contains(table.table_id)) return;
  measures_.rows_new += rows;
}

Measures Measurer::finish(std::uint64_t media_objects, std::uint64_t media_added,
                          const repo::WriterCounts& counts) {
  for (const auto& [id, before] : tables_) {
    const std::uint64_t now = rows_.contains(id) ? rows_.at(id) : 0;
    const std::uint64_t fresh = std::min(before.fresh.value_or(0), now);
    const std::uint64_t stayed = std::min(now - fresh, before.rows);
    const std::uint64_t gone = before.rows - stayed;
    measures_.rows_before += before.rows;
    measures_.rows_new += fresh;
    measures_.rows_gone += gone;
    if (gone + fresh > 0) measures_.tables.push_back({id, before.name, before.rows, fresh, gone});
  }
  measures_.media_added = media_added;
  const std::uint64_t most = measures_.media_before + media_added;
  measures_.media_removed = most > media_objects ? most - media_objects : 0;
  if (measures_.base.empty()) measures_.media_removed = 0;
  measures_.given_bytes = counts.blob_bytes;
  measures_.new_bytes = counts.new_bytes;
  return std::move(measures_);
}

}  // namespace coppice::recovery
