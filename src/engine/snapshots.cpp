#include "engine/snapshots.h"

#include <fmt/core.h>

#include <cctype>

#include "base/text.h"
#include "engine/emit.h"
#include "engine/named_table.h"
#include "pg/row_stream.h"

namespace coppice::engine {
namespace {

using catalog::TableInfo;
using catalog::TablePointer;

constexpr std::size_t kMaxNameBytes = 63;

void check_name(const std::string& name) {
  const auto refuse = [&](const std::string& why, const std::string& hint) {
    throw Error(ErrorCode::kUsage, fmt::format("\"{}\" cannot name a snapshot: {}", name, why),
                hint);
  };
  const char* const hint = "begin it with a letter: nightly, before_cleanup";
  if (name.empty()) refuse("it is empty", hint);
  if (first_invalid_utf8(name)) refuse("it is not UTF-8 text", hint);
  const auto first = static_cast<unsigned char>(name.front());
  if (!std::isalpha(first) && first < 0x80 && first != '_') {
    refuse("it would be read as a number or a time", hint);
  }
  if (name == "current") refuse("\"current\" is the newest version, whatever it is", hint);
  if (name.size() > kMaxNameBytes) {
    refuse(fmt::format("it has more than {} bytes", kMaxNameBytes), "take a shorter name");
  }
}

std::vector<std::string> names_of(EngineContext& context, const TableInfo& table) {
  const pg::Result rows = context.main.exec_cached(
      "SELECT name FROM coppice.snapshots WHERE tree_id = $1", {std::to_string(table.tree_id)});
  std::vector<std::string> names;
  for (int row = 0; row < rows.rows(); ++row) names.emplace_back(rows.text(row, 0));
  return names;
}

}  // namespace

void create_snapshot(EngineContext& context, const std::string& table_name, const std::string& name,
                     ResultSink& sink) {
  const TablePointer table = table_named(context, table_name);
  check_name(name);
  // With the tree's lock: prune, which holds it too, sees the snapshot or is seen by it.
  const pg::Result made = context.main.exec_cached(
      "WITH tree AS (SELECT tree_id, version FROM coppice.trees WHERE tree_id = $1 FOR UPDATE) "
      "INSERT INTO coppice.snapshots (tree_id, name, version, author) "
      "SELECT tree_id, $2, version, $3 FROM tree ON CONFLICT DO NOTHING RETURNING version",
      {std::to_string(table->tree_id), name, context.log.author()});
  if (made.rows() == 0) {
    throw Error(ErrorCode::kAlreadyExists,
                fmt::format("table {} has a snapshot \"{}\" already", table->user_name(), name),
                fmt::format("take another name, or: coppice snapshot drop {} {}",
                            table->user_name(), name));
  }
  sink.notice(
      fmt::format("snapshot {} is version {} of {}", name, made.integer(0, 0), table->user_name()));
  sink.done("CREATE SNAPSHOT", std::nullopt);
}

void drop_snapshot(EngineContext& context, const std::string& table_name, const std::string& name,
                   ResultSink& sink) {
  const TablePointer table = table_named(context, table_name);
  const pg::Result dropped =
      context.main.exec_cached("DELETE FROM coppice.snapshots WHERE tree_id = $1 AND name = $2",
                               {std::to_string(table->tree_id), name});
  if (dropped.affected_rows() == 0) {
    throw Error(ErrorCode::kNotFound,
                fmt::format("table {} has no snapshot \"{}\"", table->user_name(), name),
                did_you_mean(name, names_of(context, *table)));
  }
  sink.done("DROP SNAPSHOT", std::nullopt);
}

void list_snapshots(EngineContext& context, const std::optional<std::string>& table_name,
                    ResultSink& sink) {
  std::string condition = "true";
  if (table_name) {
    condition = fmt::format("t.table_id = {}", table_named(context, *table_name)->table_id);
  }
  RowsOut out(sink, {{"table", "text"},
                     {"snapshot", "text"},
                     {"version", "bigint"},
                     {"published_at", "timestamp with time zone"},
                     {"author", "text"},
                     {"created_at", "timestamp with time zone"}});
  pg::RowStream rows(
      context.main,
      fmt::format("SELECT quote_ident(t.schema_name) || '.' || quote_ident(t.table_name), s.name, "
                  "s.version, v.published_at, s.author, s.created_at "
                  "FROM coppice.snapshots s JOIN coppice.tables t USING (tree_id) "
                  "LEFT JOIN coppice.versions v USING (tree_id, version) "
                  "WHERE {} ORDER BY t.schema_name, t.table_name, s.version, s.name",
                  condition));
  while (rows.next()) sink.row(rows.row());
  out.end();
}

}  // namespace coppice::engine
