#include "recovery/table_rows.h"

#include <fmt/core.h>

#include <algorithm>

#include "backup/media_map.h"
#include "base/text.h"
#include "engine/row_changes.h"
#include "pg/copy.h"
#include "pg/transaction.h"

namespace coppice::recovery {
namespace {

using catalog::VersionInfo;

// A statement reads so many: snapshots stay short.
constexpr int kRowsOfPage = 1 << 18;
constexpr std::size_t kMostRunsOfRows = 16;
constexpr double kMostGone = 0.3;

std::string not_after(const VersionInfo& version, const char* column) {
  return fmt::format("NOT ({})", engine::published_after(version, column));
}

// _to as it is at a version.
std::string to_at(const VersionInfo& version) {
  return fmt::format("CASE WHEN {} THEN {} ELSE _to END", engine::published_after(version, "_to"),
                     catalog::kCurrentText);
}

// What a run is made of.
struct RunQuery {
  std::vector<std::string> select;
  std::string where;
  bool by_key = true;  // rows are found in the order of their keys: page by page
};

class TableReader {
 public:
  TableReader(pg::Connection& reading, const TableRequest& request, repo::BlobWriter& writer,
              const std::function<void(std::string_view)>& on_media,
              const std::function<void(std::uint64_t)>& on_rows)
      : reading_(reading),
        table_(*request.content->table),
        at_(request.content->version),
        columns_(request.content->physical_columns),
        request_(request),
        writer_(writer),
        on_media_(on_media),
        on_rows_(on_rows) {}

  TableRead read() {
    result_.runs.point = at_;
    if (may_take_over()) {
      result_.runs.runs = request_.before->runs;
      add_since(request_.before->point);
      if (!is_worn()) return std::move(result_);
      result_.runs.runs.clear();
    }
    result_.anew = true;
    add_all();
    return std::move(result_);
  }

 private:
  // Row versions that went before the floor may be gone from the store, too; a later backup cannot
  // tell which. So its floor must not be above what is taken over.
  bool may_take_over() const {
    return request_.before != nullptr && request_.floor->version <= request_.before->point.version;
  }

  bool is_worn() const {
    const auto& runs = result_.runs.runs;
    const auto of_rows = std::count_if(runs.begin(), runs.end(),
                                       [](const Run& run) { return run.kind == RunKind::kRows; });
    return static_cast<std::size_t>(of_rows) > kMostRunsOfRows ||
           static_cast<double>(result_.runs.closed()) >
               kMostGone * static_cast<double>(result_.runs.rows());
  }

  void add_all() {
    add_rows(fmt::format("{} AND NOT ({})", not_after(at_, "_from"),
                         engine::invisible_from(*request_.floor)));
  }

  void add_since(const VersionInfo& before) {
    if (const std::vector<std::string> missing = columns_missing(); !missing.empty()) {
      add_cells(missing, before);
    }
    if (before.version == at_.version) return;
    add_closed(before);
    add_rows(fmt::format("{} AND {}", engine::published_after(before, "_from"),
                         not_after(at_, "_from")));
  }

  void add_rows(const std::string& where) {
    RunQuery query{{"_from", "_row", to_at(at_)}, where};
    if (table_.view) query.select.push_back("_parent");
    query.select.insert(query.select.end(), columns_.begin(), columns_.end());
    Run run;
    run.kind = RunKind::kRows;
    run.has_parent = table_.view.has_value();
    run.columns = columns_;
    add_run(std::move(run), query);
  }

  void add_closed(const VersionInfo& before) {
    RunQuery query{{"_from", "_row", "_to"},
                   fmt::format("_to <> {} AND {} AND {} AND {}", catalog::kCurrentText,
                               engine::published_after(before, "_to"), not_after(at_, "_to"),
                               not_after(before, "_from")),
                   false};
    Run run;
    run.kind = RunKind::kClosed;
    add_run(std::move(run), query);
  }

  void add_cells(const std::vector<std::string>& columns, const VersionInfo& before) {
    RunQuery query{{"_from", "_row"},
                   fmt::format("{} AND ({} IS NOT NULL)", not_after(before, "_from"),
                               join(columns, " IS NOT NULL OR "))};
    query.select.insert(query.select.end(), columns.begin(), columns.end());
    Run run;
    run.kind = RunKind::kCells;
    run.columns = columns;
    add_run(std::move(run), query);
  }

  // Those that some row version of an earlier run does not have.
  std::vector<std::string> columns_missing() const {
    std::vector<std::string> missing;
    for (const std::string& column : columns_) {
      bool covered = true;
      for (const Run& run : result_.runs.runs) {
        const bool has =
            std::find(run.columns.begin(), run.columns.end(), column) != run.columns.end();
        if (run.kind == RunKind::kRows) covered = covered && has;
        if (run.kind == RunKind::kCells && has) covered = true;
      }
      if (!covered) missing.push_back(column);
    }
    return missing;
  }

  void add_run(Run run, const RunQuery& query) {
    LineWriter lines(writer_);
    if (query.by_key) {
      std::optional<RowKey> last;
      while (read_page(query, last, lines)) {
      }
    } else {
      std::optional<RowKey> last;
      read_page(query, last, lines);
    }
    const std::vector<repo::BlobId> blobs = lines.finish();
    if (lines.rows() == 0) return;
    run.rows = lines.rows();
    run.bytes = lines.bytes();
    run.parts = write_parts(blobs, writer_);
    result_.rows += run.rows;
    result_.bytes += run.bytes;
    result_.runs.runs.push_back(std::move(run));
  }

  // False when there may be no more behind it.
  bool read_page(const RunQuery& query, std::optional<RowKey>& last, LineWriter& lines) {
    std::string where = query.where;
    if (last) where += fmt::format(" AND (_from, _row) > ({}, {})", last->from, last->row);
    pg::Transaction transaction(reading_, pg::TransactionMode::kReadOnly);
    engine::use_change_indexes(reading_);
    pg::CopyOut rows(
        reading_, fmt::format("COPY (SELECT {} FROM {} WHERE {} ORDER BY _from, _row{}) TO STDOUT",
                              join(query.select, ", "), table_.store_table(), where,
                              query.by_key ? fmt::format(" LIMIT {}", kRowsOfPage) : ""));
    const std::vector<std::size_t> media = media_fields(query);
    int count = 0;
    std::string line;
    while (const auto next = rows.read()) {
      lines.add(*next);
      if (!media.empty()) tell_media(*next, media);
      if (++count == kRowsOfPage) line = *next;
    }
    transaction.commit();
    on_rows_(static_cast<std::uint64_t>(count));
    if (count < kRowsOfPage || !query.by_key) return false;
    last = key_of(line);
    return true;
  }

  std::vector<std::size_t> media_fields(const RunQuery& query) const {
    std::vector<std::size_t> fields;
    for (std::size_t i = 0; i < query.select.size(); ++i) {
      if (request_.media_columns.contains(query.select[i])) fields.push_back(i);
    }
    return fields;
  }

  void tell_media(std::string_view line, const std::vector<std::size_t>& media) {
    split_fields(line, fields_);
    for (const std::size_t field : media) for_each_media_name(fields_.at(field), on_media_);
  }

  pg::Connection& reading_;
  const catalog::TableInfo& table_;
  const VersionInfo& at_;
  const std::vector<std::string>& columns_;
  const TableRequest& request_;
  repo::BlobWriter& writer_;
  const std::function<void(std::string_view)>& on_media_;
  const std::function<void(std::uint64_t)>& on_rows_;
  std::vector<std::string_view> fields_;
  TableRead result_;
};

}  // namespace

TableRead read_rows(pg::Connection& reading, const TableRequest& request, repo::BlobWriter& writer,
                    const std::function<void(std::string_view name)>& on_media,
                    const std::function<void(std::uint64_t rows)>& on_rows) {
  return TableReader(reading, request, writer, on_media, on_rows).read();
}

}  // namespace coppice::recovery
