#include "engine/root_sums.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "backup/row_sums.h"
#include "base/hex.h"
#include "base/text.h"
#include "engine/row_changes.h"
#include "pg/transaction.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;
using catalog::VersionInfo;

// One sum of the table: what it is over, and what is known of it.
struct Scope {
  std::string name;      // docs/formats/root.md
  std::string physical;  // the column; empty: whole rows
  std::optional<KeptSum> kept;
  std::optional<LatticeSum> sum;  // at the version wanted
  bool differs = false;
};

std::vector<std::string> physical_names(const std::vector<const ColumnInfo*>& columns) {
  std::vector<std::string> names;
  names.reserve(columns.size());
  for (const ColumnInfo* column : columns) names.push_back(column->physical);
  return names;
}

std::vector<Scope> scopes_of(const TableInfo& table) {
  const std::vector<std::string> columns = physical_names(table.visible_columns());
  const std::string key = join(physical_names(key_columns(table)), ",");
  std::vector<Scope> scopes;
  if (key.empty()) {
    scopes.push_back({.name = "rows " + join(columns, ",")});
    return scopes;
  }
  for (const std::string& column : columns) {
    scopes.push_back({.name = fmt::format("{} by {}", column, key), .physical = column});
  }
  return scopes;
}

void read_kept(EngineContext& context, const TableInfo& table, std::vector<Scope>& scopes) {
  const pg::Result rows = context.main.exec_cached(
      "SELECT scope, version, row_count, encode(lanes, 'hex') FROM coppice.root_sums "
      "WHERE table_id = $1 AND version >= $2",
      {std::to_string(table.table_id), std::to_string(table.floor_version)});
  for (int row = 0; row < rows.rows(); ++row) {
    for (Scope& scope : scopes) {
      if (scope.name != rows.text(row, 0)) continue;
      auto sum = LatticeSum::from_bytes(rows.integer(row, 2), from_hex(rows.text(row, 3)).value());
      if (sum) scope.kept = {rows.integer(row, 1), std::move(*sum)};
    }
  }
}

// Reads rows of one table into sums.
class SumReader {
 public:
  SumReader(EngineContext& context, pg::Connection& reading, const TableInfo& table,
            ResultSink& sink)
      : context_(context), reading_(reading), table_(table), sink_(sink) {}

  std::uint64_t rows_read() const { return rows_read_; }

  // The sums of these scopes over the rows that meet a condition.
  std::vector<LatticeSum> read(const std::vector<Scope*>& scopes, const std::string& condition) {
    RowForm form;
    std::vector<std::string> columns;
    if (scopes[0]->physical.empty()) {
      form.form = "coppice root 1 row";
      form.whole_rows = true;
      columns = physical_names(table_.visible_columns());
    } else {
      form.form = "coppice root 1 cell";
      columns = physical_names(key_columns(table_));
      form.key_columns = columns.size();
      for (const Scope* scope : scopes) columns.push_back(scope->physical);
    }
    form.columns = columns.size();
    const std::string query = fmt::format("SELECT {} FROM {} WHERE {}", join(columns, ", "),
                                          table_.store_table(), condition);
    return sum_rows(reading_, query, form, [&](std::uint64_t rows) {
      context_.check_stop();
      rows_read_ += rows;
      sink_.progress({"reading " + table_.user_name(), rows_read_, 0});
    });
  }

  // Adds what came since the version of a kept sum, and takes away what went.
  void bring_up(const std::vector<Scope*>& scopes, std::int64_t from, const VersionInfo& to) {
    if (from > to.version) throw ContentMoved();  // another process has seen a later one
    std::vector<LatticeSum> came;
    std::vector<LatticeSum> went;
    if (from < to.version) {
      const VersionInfo since = version(from);
      pg::Transaction transaction(reading_, pg::TransactionMode::kReadOnly);
      use_change_indexes(reading_);
      came = read(scopes, only_after(since, to));
      went = read(scopes, only_before(since, to));
      transaction.commit();
    }
    for (std::size_t i = 0; i < scopes.size(); ++i) {
      scopes[i]->sum = scopes[i]->kept->sum;
      if (came.empty()) continue;
      scopes[i]->sum->add(came[i]);
      scopes[i]->sum->subtract(went[i]);
    }
  }

 private:
  VersionInfo version(std::int64_t number) { return version_still_there(context_, table_, number); }

  EngineContext& context_;
  pg::Connection& reading_;
  const TableInfo& table_;
  ResultSink& sink_;
  std::uint64_t rows_read_ = 0;
};

void keep(EngineContext& context, const TableInfo& table, std::int64_t version,
          const std::vector<Scope>& scopes, SumSource source) {
  const bool is_kept = std::all_of(scopes.begin(), scopes.end(), [&](const Scope& scope) {
    return scope.kept && scope.kept->version >= version && !scope.differs;
  });
  if (is_kept) return;
  pg::Transaction transaction(context.main);
  const std::string id = std::to_string(table.table_id);
  std::vector<std::string> names;
  for (const Scope& scope : scopes) {
    names.push_back("\"" + scope.name + "\"");
    if (scope.differs && source != SumSource::kAccepted) continue;
    keep_sum(context, table, scope.name, {version, *scope.sum}, scope.differs);
  }
  context.main.exec_cached(
      "DELETE FROM coppice.root_sums WHERE table_id = $1 AND version <= $2 "
      "AND scope <> ALL ($3::text[]) AND scope NOT LIKE 'history %'",
      {id, std::to_string(version), "{" + join(names, ",") + "}"});
  transaction.commit();
}

void compare(std::vector<Scope*>& scopes, const std::vector<LatticeSum>& found) {
  for (std::size_t i = 0; i < scopes.size(); ++i) {
    scopes[i]->differs = scopes[i]->sum && !(*scopes[i]->sum == found[i]);
    scopes[i]->sum = found[i];
  }
}

}  // namespace

std::vector<const ColumnInfo*> key_columns(const TableInfo& table) {
  std::vector<const ColumnInfo*> columns;
  const catalog::ConstraintInfo* const key = table.primary_key();
  if (key == nullptr) return columns;
  const std::vector<const ColumnInfo*> visible = table.visible_columns();
  for (const std::int64_t id : key->columns) {
    const auto column = std::find_if(visible.begin(), visible.end(),
                                     [&](const ColumnInfo* one) { return one->id == id; });
    COPPICE_ASSERT(column != visible.end());
    columns.push_back(*column);
  }
  return columns;
}

VersionInfo version_still_there(EngineContext& context, const TableInfo& table,
                                std::int64_t version) {
  try {
    return context.catalog.version_info(table, version);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kNotFound) throw ContentMoved();
    throw;
  }
}

std::optional<KeptSum> find_kept_sum(EngineContext& context, const TableInfo& table,
                                     const std::string& scope) {
  const pg::Result rows = context.main.exec_cached(
      "SELECT version, row_count, encode(lanes, 'hex') FROM coppice.root_sums "
      "WHERE table_id = $1 AND scope = $2",
      {std::to_string(table.table_id), scope});
  if (rows.rows() == 0) return std::nullopt;
  auto sum = LatticeSum::from_bytes(rows.integer(0, 1), from_hex(rows.text(0, 2)).value());
  if (!sum) return std::nullopt;
  return KeptSum{rows.integer(0, 0), std::move(*sum)};
}

void keep_sum(EngineContext& context, const TableInfo& table, const std::string& scope,
              const KeptSum& sum, bool replaces) {
  context.main.exec_cached(
      "INSERT INTO coppice.root_sums AS s VALUES ($1, $2, $3, $4, $5) "
      "ON CONFLICT (table_id, scope) DO UPDATE SET version = excluded.version, "
      "row_count = excluded.row_count, lanes = excluded.lanes "
      "WHERE s.version < excluded.version OR $6",
      {std::to_string(table.table_id), scope, std::to_string(sum.version),
       std::to_string(sum.sum.count()), "\\x" + to_hex(sum.sum.bytes()), replaces ? "t" : "f"});
}

void check_floor(EngineContext& context, const TableInfo& table, std::int64_t version) {
  const pg::Result floor =
      context.main.exec_cached("SELECT floor_version FROM coppice.trees WHERE tree_id = $1",
                               {std::to_string(table.tree_id)});
  if (floor.rows() == 0 || floor.integer(0, 0) > version) throw ContentMoved();
}

TableSums sums_of_table(EngineContext& context, pg::Connection& reading, const TableInfo& table,
                        const VersionInfo& at, SumSource source, ResultSink& sink) {
  std::vector<Scope> scopes = scopes_of(table);
  read_kept(context, table, scopes);
  SumReader reader(context, reading, table, sink);
  std::map<std::int64_t, std::vector<Scope*>> kept;
  std::vector<Scope*> unknown;
  for (Scope& scope : scopes) {
    if (scope.kept) {
      kept[scope.kept->version].push_back(&scope);
    } else {
      unknown.push_back(&scope);
    }
  }
  for (const auto& [version, group] : kept) reader.bring_up(group, version, at);
  if (source != SumSource::kKept) {
    unknown.clear();
    for (Scope& scope : scopes) unknown.push_back(&scope);
  }
  if (!unknown.empty()) compare(unknown, reader.read(unknown, visible_at(at)));
  // Rows that prune removes were below its floor before: it is raised first.
  check_floor(context, table,
              kept.empty() ? at.version : std::min(kept.begin()->first, at.version));
  keep(context, table, at.version, scopes, source);

  TableSums sums;
  sums.rows_read = reader.rows_read();
  for (Scope& scope : scopes) {
    sums.differs.push_back(scope.differs);
    if (scope.physical.empty()) {
      sums.rows = std::move(*scope.sum);
    } else {
      sums.columns.push_back(std::move(*scope.sum));
    }
  }
  return sums;
}

}  // namespace coppice::engine
