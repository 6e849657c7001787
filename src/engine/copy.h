// COPY … FROM a file that this process reads, and COPY … TO a file that it writes.
#pragma once

#include <filesystem>
#include <functional>

#include "engine/direct_write.h"
#include "engine/engine.h"
#include "sql/parse.h"

namespace coppice::engine {

// Gives the next piece of the data; empty at the end.
using DataSource = std::function<std::string_view()>;

// What COPY FROM says, or `insert --from` in its place.
struct CopyRequest {
  std::vector<std::string> columns;  // empty: all that are not computed
  std::string options;               // "(FORMAT csv, HEADER true)"
  std::string where;                 // a condition over the user's columns; empty: none
  bool skip_bad_media = false;       // leave rows out whose files cannot be taken
  std::function<DataSource()> open;  // called again when the statement is repeated
};

CopyRequest read_copy(const sql::Statement& statement, const catalog::TableInfo& table);

class DirectCopy final : public DirectWrite {
 public:
  explicit DirectCopy(CopyRequest request) : request_(std::move(request)) {}

  std::string_view kind() const override { return "copy"; }
  void plan(EngineContext& context, const catalog::TableInfo& table) override;
  void write(EngineContext& context, const catalog::Operation& operation,
             const std::vector<std::int64_t>& only_rows_of, catalog::RowCounts& counts) override;
  bool replaces_rows() const override { return false; }
  void emit(EngineContext&, ResultSink&) override {}
  std::string_view planned_text() const override { return planned_; }

 private:
  CopyRequest request_;
  std::string planned_;
};

// Copies into a table that has the store's physical columns; returns the number of rows.
std::uint64_t copy_into(EngineContext& context, const catalog::TableInfo& table,
                        const std::string& store_name, const CopyRequest& request);

// COPY … TO 'file'. Returns the number of rows.
std::uint64_t copy_to_file(EngineContext& context, sql::Statement& statement,
                           const SqlParameters& parameters);

// A file as a data source, read in pieces of 64 KiB.
DataSource file_source(const std::filesystem::path& file);

}  // namespace coppice::engine
