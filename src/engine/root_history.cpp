#include "engine/root_history.h"

#include <fmt/core.h>

#include <algorithm>

#include "backup/field_hash.h"
#include "backup/row_sums.h"
#include "base/text.h"
#include "engine/row_changes.h"
#include "pg/row_stream.h"
#include "pg/transaction.h"

namespace coppice::engine {
namespace {

struct List {
  const char* name;
  const char* query;
};

constexpr List kLists[] = {
    {"versions",
     "SELECT v.tree_id, v.version, v.op_id, v.published_at, v.high_op, v.open_ops, "
     "v.schema_version FROM coppice.versions v JOIN coppice.trees t USING (tree_id) "
     "WHERE v.version >= t.floor_version ORDER BY v.tree_id, v.version"},
    {"operations",
     "SELECT tree_id, op_id, table_id, table_name, kind, statement, author, begun_at, ended_at, "
     "version, rows_inserted, rows_updated, rows_deleted, error_count FROM coppice.operations "
     "WHERE state = 'published' ORDER BY tree_id, op_id"},
    {"columns",
     "SELECT c.table_id, c.column_id, c.from_version, c.to_version, c.physical, c.name, "
     "c.position, c.type, c.not_null, c.default_sql, c.identity, c.expression, c.derived, "
     "c.on_error, c.backup, c.url_policy, c.comment FROM coppice.columns c "
     "JOIN coppice.tables t USING (table_id) JOIN coppice.trees r USING (tree_id) "
     "WHERE c.state = 'live' AND (c.to_version IS NULL OR c.to_version > r.floor_version) "
     "ORDER BY c.table_id, c.column_id, c.from_version"},
    {"snapshots",
     "SELECT tree_id, name, version, author, created_at FROM coppice.snapshots "
     "ORDER BY tree_id, name COLLATE \"C\""},
    {"cell_errors",
     "SELECT e.table_id, e.row_id, e.column_id, e.op_id, e.type, e.message, e.happened_at "
     "FROM coppice.cell_errors e JOIN coppice.tables t USING (table_id) "
     "JOIN coppice.operations o ON o.tree_id = t.tree_id AND o.op_id = e.op_id "
     "WHERE o.state = 'published' ORDER BY e.table_id, e.row_id, e.column_id, e.op_id"},
    {"media_references",
     "SELECT m.tree_id, m.op_id, m.url_sha256, m.url, m.name, m.kind, m.mime, m.size_bytes, m.etag "
     "FROM coppice.media_references m JOIN coppice.operations o USING (tree_id, op_id) "
     "WHERE o.state = 'published' ORDER BY m.tree_id, m.op_id, m.url_sha256 COLLATE \"C\""},
    {"functions",
     "SELECT function_id, version, language, parameters, result, volatility, source, settings, "
     "digest, comment, created_at, replaced_at FROM coppice.functions "
     "ORDER BY function_id COLLATE \"C\", version"},
};

Digest lists_digest(pg::Connection& connection) {
  FieldHash hash("coppice root 1 history lists");
  for (const List& list : kLists) {
    hash.text(list.name);
    pg::RowStream rows(connection, list.query);
    while (rows.next()) {
      hash.text("row").count(rows.row().size());
      for (const auto& value : rows.row()) {
        hash.optional(value ? std::optional<std::string>(*value) : std::nullopt);
      }
    }
    hash.text("end");
  }
  return hash.finish();
}

std::vector<std::string> shown_columns(EngineContext& context, const catalog::TableInfo& table) {
  const pg::Result rows = context.main.exec_cached(
      "SELECT DISTINCT physical COLLATE \"C\" FROM coppice.columns WHERE table_id = $1 "
      "AND state = 'live' AND (to_version IS NULL OR to_version > $2) ORDER BY 1",
      {std::to_string(table.table_id), std::to_string(table.floor_version)});
  std::vector<std::string> columns;
  columns.reserve(static_cast<std::size_t>(rows.rows()));
  for (int row = 0; row < rows.rows(); ++row) columns.emplace_back(rows.text(row, 0));
  return columns;
}

// The first version that is kept; a materialized view may be younger than its tree's.
std::int64_t first_version(const catalog::TableInfo& table) {
  if (!table.view) return table.floor_version;
  return std::max(table.floor_version, table.view->first_version);
}

// Reads the row versions of a table into a sum, or what has become of them since it was made.
class HistoryReader {
 public:
  HistoryReader(EngineContext& context, pg::Connection& reading, const TableContent& content,
                ResultSink& sink)
      : context_(context),
        reading_(reading),
        content_(content),
        table_(*content.table),
        at_(content.version),
        floor_(version_still_there(context, table_, first_version(table_))),
        sink_(sink) {}

  HistorySum read(SumSource source) {
    const std::string scope =
        fmt::format("history {} from {}", join(content_.physical_columns, ","), floor_.version);
    const std::optional<KeptSum> kept = find_kept_sum(context_, table_, scope);
    if (kept && kept->version > at_.version) throw ContentMoved();  // another has seen a later one
    std::optional<LatticeSum> expected;
    if (kept) expected = brought_up(*kept);
    const bool from_rows = !kept || source != SumSource::kKept;
    HistorySum history{from_rows ? of_all() : *expected, false};
    history.differs = expected && !(*expected == history.sum);
    check_floor(context_, table_, table_.floor_version);
    const bool is_kept = kept && kept->version == at_.version && !history.differs;
    if (!is_kept && (!history.differs || source == SumSource::kAccepted)) {
      keep(scope, history.sum, history.differs);
    }
    return history;
  }

 private:
  static std::string not_after(const catalog::VersionInfo& version, const char* column) {
    return fmt::format("NOT ({})", published_after(version, column));
  }

  LatticeSum of_all() {
    return sum_where(
        to_at(), fmt::format("{} AND NOT ({})", not_after(at_, "_from"), invisible_from(floor_)));
  }

  // Row versions never change but for _to, which is set once.
  LatticeSum brought_up(const KeptSum& kept) {
    LatticeSum sum = kept.sum;
    if (kept.version == at_.version) return sum;
    const catalog::VersionInfo since = version_still_there(context_, table_, kept.version);
    const std::string went = fmt::format("_to <> {} AND {} AND {} AND {}", catalog::kCurrentText,
                                         published_after(since, "_to"), not_after(at_, "_to"),
                                         not_after(since, "_from"));
    pg::Transaction transaction(reading_, pg::TransactionMode::kReadOnly);
    use_change_indexes(reading_);
    sum.add(sum_where(to_at(), fmt::format("{} AND {}", published_after(since, "_from"),
                                           not_after(at_, "_from"))));
    sum.subtract(sum_where(std::string(catalog::kCurrentText), went));
    sum.add(sum_where("_to", went));
    transaction.commit();
    return sum;
  }

  std::string to_at() const {
    return fmt::format("CASE WHEN {} THEN {} ELSE _to END", published_after(at_, "_to"),
                       catalog::kCurrentText);
  }

  LatticeSum sum_where(const std::string& to, const std::string& condition) {
    std::vector<std::string> columns = {"_row", "_from", to};
    if (table_.view) columns.emplace_back("_parent");
    columns.insert(columns.end(), content_.physical_columns.begin(),
                   content_.physical_columns.end());
    const RowForm form = {
        .form = "coppice root 1 row version", .columns = columns.size(), .whole_rows = true};
    const std::string query = fmt::format("SELECT {} FROM {} WHERE {}", join(columns, ", "),
                                          table_.store_table(), condition);
    std::vector<LatticeSum> sums = sum_rows(reading_, query, form, [&](std::uint64_t rows) {
      context_.check_stop();
      count_ += rows;
      sink_.progress({"reading " + table_.user_name(), count_, 0});
    });
    return std::move(sums[0]);
  }

  void keep(const std::string& scope, const LatticeSum& sum, bool replaces) {
    pg::Transaction transaction(context_.main);
    keep_sum(context_, table_, scope, {at_.version, sum}, replaces);
    context_.main.exec_cached(
        "DELETE FROM coppice.root_sums WHERE table_id = $1 AND scope LIKE 'history %' "
        "AND scope <> $2 AND version <= $3",
        {std::to_string(table_.table_id), scope, std::to_string(at_.version)});
    transaction.commit();
  }

  EngineContext& context_;
  pg::Connection& reading_;
  const TableContent& content_;
  const catalog::TableInfo& table_;
  const catalog::VersionInfo& at_;
  const catalog::VersionInfo floor_;
  ResultSink& sink_;
  std::uint64_t count_ = 0;
};

}  // namespace

void read_history(EngineContext& context, HomeContent& content) {
  content.history_lists = lists_digest(context.main);
  for (TableContent& table : content.tables) {
    table.physical_columns = shown_columns(context, *table.table);
  }
}

HistorySum history_sum(EngineContext& context, pg::Connection& reading, const TableContent& content,
                       SumSource source, ResultSink& sink) {
  return HistoryReader(context, reading, content, sink).read(source);
}

Digest history_root(const HomeContent& content, const Digest& content_root,
                    const std::vector<LatticeSum>& sums) {
  FieldHash hash("coppice root 1 history");
  hash.digest(content_root).count(sums.size());
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const sql::QualifiedName& name = content.tables[i].table->name;
    hash.text(name.schema).text(name.name).digest(sums[i].digest());
  }
  return hash.digest(content.history_lists).finish();
}

}  // namespace coppice::engine
