// Root content: what the root of a home is made of, at one point.
//
// Model    One transaction reads the schema and the version of every table. The rows are read after
// it,
//          as of those versions, while writers go on.
// Threads  As the context. Sources of the schema's texts live as long as the content.
// Source   docs/formats/root.md, "Roots"
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "engine/context.h"
#include "engine/root_sums.h"
#include "engine/schema_model.h"

namespace coppice::engine {

struct TableContent {
  catalog::TablePointer table;
  catalog::VersionInfo version;
  const TableModel* model = nullptr;
  std::vector<std::string> physical_columns;  // that a kept version shows; for the history root
};

struct HomeContent {
  SchemaModel schema;
  std::vector<TableContent> tables;  // by schema and name, as bytes
  std::vector<std::pair<std::string, std::string>> settings;
  std::string moment;      // when it was read, by the server's clock
  Digest history_lists{};  // what the history root covers besides rows, if that is wanted
};

// `meanwhile`, if given, is called in the transaction: whoever imports its snapshot sees the same.
// It may be called again when the schema changed under it.
HomeContent read_content(EngineContext& context, bool with_history,
                         const std::function<void(const HomeContent&)>& meanwhile = {});

// The root of one visible column; no sum: in a table without a primary key.
Digest column_root(const TableContent& content, const catalog::ColumnInfo& column,
                   const LatticeSum* sum);
// `references`: references_digest() of the table.
Digest table_root(const TableContent& content, const std::vector<Digest>& columns,
                  const TableSums& sums, const Digest& references);
Digest references_digest(EngineContext& context, pg::Connection& reading,
                         const TableContent& content, const std::string& moment);
// `tables` in the order of the content.
Digest home_root(EngineContext& context, const HomeContent& content,
                 const std::vector<Digest>& tables);

}  // namespace coppice::engine
