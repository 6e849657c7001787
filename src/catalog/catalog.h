// Catalog: reads descriptions of tables, versions and views.
//
// Model    Descriptions are read when first asked for and kept; forget() after a change, or when
//          an operation finds that the tree's schema version moved on.
// Threads  Belongs to the thread of its connection.
// Errors   kNotFound with the nearest name.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catalog/model.h"
#include "pg/connection.h"

namespace coppice::catalog {

using TablePointer = std::shared_ptr<const TableInfo>;
using ViewPointer = std::shared_ptr<const ViewInfo>;

class Catalog {
 public:
  explicit Catalog(pg::Connection& connection) : connection_(connection) {}

  // An empty schema in `name` means public. nullptr when there is none.
  TablePointer find_table(const sql::QualifiedName& name);
  TablePointer table(const sql::QualifiedName& name);
  // "film:3" split into the table and the version; a table's own name may hold colons, so the
  // split is where a table of that name exists. No version: `name` is a table, or nothing is.
  sql::VersionedName split_version(const sql::QualifiedName& name);
  TablePointer table_by_id(std::int64_t table_id);
  ViewPointer find_view(const sql::QualifiedName& name);
  std::vector<sql::QualifiedName> all_tables();
  std::vector<sql::QualifiedName> all_views();
  bool has_schema(const std::string& schema);
  std::vector<std::string> all_schemas();

  // `at` is a number ("3"), the name of a snapshot ("nightly"), "current", or a time
  // ("2026-11-22 10:00+00"): the last version not later.
  VersionInfo version_at(const TableInfo& table, const std::string& at);
  VersionInfo version_info(const TableInfo& table, std::int64_t version);
  // The columns a version had, by position; computed ones with the expression they had.
  std::vector<ColumnInfo> columns_at(const TableInfo& table, std::int64_t version);

  [[noreturn]] void throw_unknown_table(const sql::QualifiedName& name);
  void forget();

 private:
  TablePointer load_table(std::int64_t table_id);
  VersionInfo version_at_time(const TableInfo& table, const std::string& at);

  pg::Connection& connection_;
  std::map<std::pair<std::string, std::string>, TablePointer> tables_;
  std::map<std::pair<std::string, std::string>, ViewPointer> views_;
};

}  // namespace coppice::catalog
