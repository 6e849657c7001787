#include "recovery/load_tables.h"

#include <fmt/core.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "backup/runs.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "base/text.h"
#include "catalog/store_ddl.h"
#include "engine/column_definition.h"
#include "engine/create_table.h"
#include "pg/copy.h"
#include "pg/transaction.h"

namespace coppice::recovery {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;
using engine::EngineContext;
using nlohmann::json;
using std::chrono::steady_clock;

constexpr std::uint64_t kRowsOfProgress = 65'536;

bool is_index(const std::string& ddl) { return ddl.starts_with("CREATE INDEX"); }

class TableLoader {
 public:
  TableLoader(EngineContext& context, const repo::Repository& repository, const Tree& home,
              ResultSink& sink)
      : context_(context), repository_(repository), home_(home), sink_(sink) {}

  const LoadTimes& times() const { return times_; }

  void load(std::int64_t id, const repo::BlobId& tree) {
    const std::string done = fmt::format("restored t{}", id);
    const catalog::TablePointer table = context_.catalog.table_by_id(id);
    if (table == nullptr) {
      throw Error(ErrorCode::kIntegrity,
                  fmt::format("the backup has rows of table {}, which its catalog lacks", id));
    }
    if (is_done(done)) return;
    pg::Transaction transaction(context_.main);
    context_.main.exec("SET LOCAL maintenance_work_mem = '256MB'");
    make_columns(*table);
    const auto begun = steady_clock::now();
    load_rows(*table, read_table(repository_, tree));
    const auto loaded = steady_clock::now();
    make_rest(*table);
    times_.rows += std::chrono::duration<double>(loaded - begun).count();
    times_.indexes += std::chrono::duration<double>(steady_clock::now() - loaded).count();
    context_.main.exec_params("INSERT INTO coppice.meta VALUES ($1, 'done')", {done});
    transaction.commit();
    reach_crash_point("restore.table_loaded");
  }

 private:
  bool is_done(const std::string& key) {
    return context_.main.exec_params("SELECT FROM coppice.meta WHERE key = $1", {key}).rows() > 0;
  }

  // Indexes come after the rows. So do defaults: what a backup has no value for is NULL.
  void make_columns(const TableInfo& table) {
    for (const std::string& ddl : catalog::create_store(table)) {
      if (!is_index(ddl)) context_.main.exec(ddl);
    }
    const pg::Result rows = context_.main.exec_params(
        "SELECT DISTINCT ON (physical) physical, type FROM coppice.columns WHERE table_id = $1 "
        "ORDER BY physical, from_version DESC",
        {std::to_string(table.table_id)});
    for (int row = 0; row < rows.rows(); ++row) {
      ColumnInfo column;
      column.physical = rows.text(row, 0);
      column.type = rows.text(row, 1);
      context_.main.exec(catalog::add_physical_column(table, column));
      columns_of_[table.table_id].push_back(column.physical);
    }
  }

  void load_rows(const TableInfo& table, const TableRuns& runs) {
    const catalog::VersionInfo floor = context_.catalog.version_info(
        table, std::max(table.floor_version, table.view ? table.view->first_version : 0));
    const MergeRequest request{columns_of_[table.table_id], &floor};
    Progress progress{"restoring " + table.user_name(), 0, runs.rows()};
    for (std::size_t run = 0; run < runs.runs.size(); ++run) {
      if (runs.runs[run].kind != RunKind::kRows) continue;
      std::vector<std::string> columns = {"_from", "_row", "_to"};
      if (runs.runs[run].has_parent) columns.emplace_back("_parent");
      for (const std::string& column : merged_columns(runs, run, request)) {
        columns.push_back(column);
      }
      // Nobody sees the table before it is whole: rows need no marks when they are read first.
      pg::CopyIn copy(context_.main, fmt::format("COPY {} ({}) FROM STDIN WITH (FREEZE)",
                                                 table.store_table(), join(columns, ", ")));
      merge_run(repository_, runs, run, request, [&](std::string_view line) {
        copy.write(line);
        if (++progress.done % kRowsOfProgress == 0) {
          context_.check_stop();
          sink_.progress(progress);
        }
      });
      copy.finish();
    }
  }

  void make_rest(const TableInfo& table) {
    for (const std::string& ddl : catalog::create_store(table)) {
      if (is_index(ddl)) context_.main.exec(ddl);
    }
    for (const ColumnInfo& column : table.columns) {
      if (column.sequence) {
        engine::use_sequence(context_, table, column);
      } else if (column.default_sql) {
        context_.main.exec(fmt::format("ALTER TABLE {} ALTER {} SET DEFAULT {}",
                                       table.store_table(), column.physical, *column.default_sql));
      }
      if (column.not_null) context_.main.exec(catalog::add_not_null(table, column));
    }
    for (const catalog::ConstraintInfo& constraint : table.constraints) {
      context_.main.exec(catalog::add_constraint(table, constraint));
    }
    for (const json& index : home_.member("indexes")) {
      if (index.at("table_id").get<std::int64_t>() != table.table_id) continue;
      context_.main.exec(index.at("sql").get<std::string>());
    }
    context_.main.exec("ANALYZE " + table.store_table());
    context_.main.exec(catalog::working_view(table));
    for (const std::string& ddl : catalog::compute_trigger(table)) context_.main.exec(ddl);
    engine::create_user_view(context_, table);
  }

  EngineContext& context_;
  const repo::Repository& repository_;
  const Tree& home_;
  ResultSink& sink_;
  std::map<std::int64_t, std::vector<std::string>> columns_of_;
  LoadTimes times_;
};

}  // namespace

LoadTimes load_tables(EngineContext& context, const repo::Repository& repository, const Tree& home,
                      ResultSink& sink) {
  TableLoader loader(context, repository, home, sink);
  home.checked([&] {
    for (const json& item : home.member("tables")) {
      loader.load(item.at("table_id").get<std::int64_t>(), home.tree(item.at("tree")));
    }
  });
  return loader.times();
}

}  // namespace coppice::recovery
