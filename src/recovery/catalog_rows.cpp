#include "recovery/catalog_rows.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "backup/media_map.h"
#include "base/error.h"
#include "base/text.h"
#include "pg/copy.h"
#include "sql/names.h"

namespace coppice::recovery {
namespace {

struct CatalogTable {
  const char* name;
  const char* key;    // by which lines are sorted; its columns come first
  const char* where;  // over the table as x; empty: all rows
  CatalogPart part = CatalogPart::kAtPoint;
};

constexpr const char* kOfPublished =
    "EXISTS (SELECT FROM coppice.operations o WHERE o.tree_id = x.tree_id AND o.op_id = x.op_id "
    "AND o.state = 'published')";

// In an order in which they can be loaded.
constexpr CatalogTable kTables[] = {
    {"trees", "tree_id", ""},
    {"tables", "table_id", ""},
    {"columns", "table_id, column_id, from_version",
     "x.state = 'live' AND (x.to_version IS NULL OR x.to_version > (SELECT r.floor_version "
     "FROM coppice.tables t JOIN coppice.trees r USING (tree_id) WHERE t.table_id = x.table_id))"},
    {"conversions", "table_id, physical", ""},
    {"constraints", "constraint_id", ""},
    {"indexes", "index_id", ""},
    {"materialized_views", "table_id", ""},
    {"operations", "tree_id, op_id", "x.state NOT IN ('running', 'interrupted', 'paused')"},
    {"versions", "tree_id, version",
     "x.version >= (SELECT r.floor_version FROM coppice.trees r WHERE r.tree_id = x.tree_id)"},
    {"snapshots", "tree_id, name", ""},
    {"cell_errors", "table_id, row_id, column_id, op_id",
     "EXISTS (SELECT FROM coppice.tables t JOIN coppice.operations o USING (tree_id) "
     "WHERE t.table_id = x.table_id AND o.op_id = x.op_id AND o.state = 'published')"},
    {"media", "name", ""},
    {"media_references", "url_sha256, tree_id, op_id", kOfPublished},
    {"functions", "function_id, version", ""},
    {"column_functions", "table_id, physical, function_id, version", ""},
    {"results", "key", "", CatalogPart::kApart},
    {"spending", "operation, function_id, day", "", CatalogPart::kApart},
    {"spent", "scope", "", CatalogPart::kApart},
};

std::vector<std::string> columns_of(pg::Connection& connection, const CatalogTable& table) {
  std::vector<std::string> columns = split(table.key, ',');
  for (std::string& name : columns) name = std::string(trim(name));
  const pg::Result rows = connection.exec_params(
      "SELECT a.attname FROM pg_catalog.pg_attribute a WHERE a.attrelid = $1::regclass "
      "AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
      {std::string("coppice.") + table.name});
  for (int row = 0; row < rows.rows(); ++row) {
    const std::string name(rows.text(row, 0));
    if (std::find(columns.begin(), columns.end(), name) == columns.end()) columns.push_back(name);
  }
  return columns;
}

std::string column_list(const std::vector<std::string>& columns, const std::string& prefix = {}) {
  std::vector<std::string> quoted;
  for (const std::string& name : columns) quoted.push_back(prefix + sql::quote_identifier(name));
  return join(quoted, ", ");
}

// The positions of the key's columns, which are the first.
std::string sort_list(const CatalogTable& table) {
  const std::string_view key = table.key;
  std::vector<std::string> items = {"1"};
  for (const char letter : key) {
    if (letter == ',') items.push_back(std::to_string(items.size() + 1));
  }
  return join(items, ", ");
}

void write_table(pg::Connection& reading, const CatalogTable& table, repo::BlobWriter& writer,
                 TreeBuilder& home, std::set<std::string>& media) {
  const std::vector<std::string> columns = columns_of(reading, table);
  const std::string where = *table.where == '\0' ? "" : fmt::format(" WHERE {}", table.where);
  pg::CopyOut rows(reading,
                   fmt::format("COPY (SELECT {} FROM coppice.{} x{} ORDER BY {}) TO STDOUT",
                               column_list(columns, "x."), table.name, where, sort_list(table)));
  LineWriter lines(writer, Cut::kByKeys);
  const bool names_media = std::string_view(table.name) == "results";
  const auto at = static_cast<std::size_t>(std::find(columns.begin(), columns.end(), "media") -
                                           columns.begin());
  std::vector<std::string_view> fields;
  while (const auto line = rows.read()) {
    lines.add(*line);
    if (!names_media) continue;
    split_fields(*line, fields);
    for_each_media_name(fields.at(at), [&](std::string_view name) { media.emplace(name); });
  }
  const std::vector<repo::BlobId> blobs = lines.finish();
  home.members()["catalog"].push_back({{"table", table.name},
                                       {"columns", columns},
                                       {"rows", lines.rows()},
                                       {"blobs", home.add_blobs(blobs)}});
}

bool is_known(const std::string& name) {
  return std::any_of(std::begin(kTables), std::end(kTables),
                     [&](const CatalogTable& table) { return name == table.name; });
}

}  // namespace

void write_catalog(pg::Connection& reading, CatalogPart part, repo::BlobWriter& writer,
                   TreeBuilder& home, std::set<std::string>& media) {
  for (const CatalogTable& table : kTables) {
    if (table.part == part) write_table(reading, table, writer, home, media);
  }
}

std::uint64_t load_catalog(pg::Connection& connection, const repo::Repository& repository,
                           const Tree& home) {
  std::uint64_t count = 0;
  home.checked([&] {
    for (const nlohmann::json& item : home.member("catalog")) {
      const auto name = item.at("table").get<std::string>();
      if (!is_known(name)) {
        throw Error(
            ErrorCode::kNewerFormat,
            fmt::format("the backup has a table coppice.{} that this program does not know", name),
            "use a newer coppice");
      }
      pg::CopyIn rows(connection,
                      fmt::format("COPY coppice.{} ({}) FROM STDIN", name,
                                  column_list(item.at("columns").get<std::vector<std::string>>())));
      LineReader lines(repository, home.blobs(item.at("blobs")));
      while (const auto line = lines.next()) rows.write(*line);
      count += rows.finish();
    }
  });
  return count;
}

}  // namespace coppice::recovery
