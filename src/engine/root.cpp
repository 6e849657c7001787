#include "engine/root.h"

#include <fmt/core.h>

#include <algorithm>

#include "backup/row_sums.h"
#include "base/text.h"
#include "engine/named_table.h"
#include "engine/root_content.h"
#include "engine/root_history.h"
#include "engine/root_sums.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;

constexpr int kAttempts = 5;

void check_column(const TableInfo& table, const std::string& column) {
  if (table.find_column(column) == nullptr) {
    std::vector<std::string> names;
    for (const ColumnInfo* one : table.visible_columns()) names.push_back(one->name);
    throw Error(ErrorCode::kNotFound,
                fmt::format("column \"{}\" of table {} does not exist", column, table.user_name()),
                did_you_mean(column, names));
  }
  if (table.primary_key() == nullptr) {
    throw Error(ErrorCode::kRefused,
                fmt::format("{} has no primary key: its rows have one root, its columns none",
                            table.user_name()),
                "see: coppice root --table " + table.user_name());
  }
}

// One computation of a root.
class RootMaker {
 public:
  RootMaker(EngineContext& context, const RootRequest& request, const HomeContent& content,
            ResultSink& sink)
      : context_(context),
        request_(request),
        sink_(sink),
        reading_(context.main.open_another()),
        content_(content) {
    canonical_session(reading_);
  }

  RootReport make() {
    std::vector<Digest> roots;
    for (const TableContent& content : content_.tables) {
      if (request_.table && content.table->name != wanted()) continue;
      roots.push_back(table(content));
    }
    if (request_.history) {
      const Digest home = home_root(context_, content_, roots);
      report_.content_root = to_hex(home);
      report_.root = to_hex(history(home));
    } else if (request_.column) {
      if (column_root_.empty()) throw ContentMoved();  // dropped meanwhile
      report_.root = column_root_;
    } else if (request_.table) {
      if (roots.empty()) throw ContentMoved();  // dropped meanwhile
      report_.root = to_hex(roots[0]);
    } else {
      report_.root = to_hex(home_root(context_, content_, roots));
    }
    return std::move(report_);
  }

 private:
  sql::QualifiedName wanted() {
    sql::QualifiedName name = sql::parse_qualified_name(*request_.table);
    if (name.schema.empty()) name.schema = "public";
    return name;
  }

  SumSource source() const {
    if (!request_.from_rows) return SumSource::kKept;
    return request_.accept ? SumSource::kAccepted : SumSource::kRows;
  }

  Digest table(const TableContent& content) {
    const TableInfo& info = *content.table;
    const TableSums sums =
        sums_of_table(context_, reading_, info, content.version, source(), sink_);
    RootReport::Table told;
    told.name = info.user_name();
    told.version = content.version.version;
    told.current_rows = told.rows = sums.rows ? sums.rows->count() : sums.columns[0].count();
    std::vector<Digest> columns;
    const std::vector<const ColumnInfo*> visible = info.visible_columns();
    for (std::size_t i = 0; i < visible.size(); ++i) {
      columns.push_back(column_root(content, *visible[i], sums.rows ? nullptr : &sums.columns[i]));
      if (sums.rows) continue;
      told.columns.push_back(
          {visible[i]->name, to_hex(columns.back()), to_hex(sums.columns[i].digest())});
      if (visible[i]->name == request_.column) column_root_ = told.columns.back().root;
    }
    if (sums.rows) told.rows_sum = to_hex(sums.rows->digest());
    tell_differences(info, visible, sums);
    const Digest references = references_digest(context_, reading_, content, content_.moment);
    const Digest root = table_root(content, columns, sums, references);
    told.root = to_hex(root);
    report_.rows_read += sums.rows_read;
    report_.tables.push_back(std::move(told));
    return root;
  }

  void tell_differences(const TableInfo& table, const std::vector<const ColumnInfo*>& visible,
                        const TableSums& sums) {
    for (std::size_t i = 0; i < sums.differs.size(); ++i) {
      if (!sums.differs[i]) continue;
      std::string name = table.user_name();
      if (!sums.rows) name += "." + sql::quote_identifier(visible[i]->name);
      report_.differences.push_back(std::move(name));
    }
  }

  Digest history(const Digest& content_root) {
    std::vector<LatticeSum> sums;
    for (std::size_t i = 0; i < content_.tables.size(); ++i) {
      HistorySum history = history_sum(context_, reading_, content_.tables[i], source(), sink_);
      if (history.differs)
        report_.differences.push_back("older versions of " + report_.tables[i].name);
      sums.push_back(std::move(history.sum));
      report_.tables[i].rows = sums.back().count();
      report_.rows_read += static_cast<std::uint64_t>(sums.back().count());
    }
    return history_root(content_, content_root, sums);
  }

  EngineContext& context_;
  const RootRequest& request_;
  ResultSink& sink_;
  pg::Connection reading_;
  const HomeContent& content_;
  RootReport report_;
  std::string column_root_;
};

}  // namespace

RootReport make_root(EngineContext& context, const RootRequest& request, ResultSink& sink) {
  if (request.table) {
    const catalog::TablePointer table = table_named(context, *request.table);
    if (request.column) check_column(*table, *request.column);
  }
  for (int attempt = 1;; ++attempt) {
    try {
      const HomeContent content = read_content(context, request.history);
      return RootMaker(context, request, content, sink).make();
    } catch (const Error& error) {
      if (attempt == kAttempts || !is_moved(error)) throw;
    }
  }
}

HomeRoots roots_of(EngineContext& context, const HomeContent& content, ResultSink& sink) {
  RootRequest request;
  request.history = true;
  const RootReport report = RootMaker(context, request, content, sink).make();
  return {report.content_root, report.root, report.tables};
}

// What was dropped, altered or pruned between reading the catalog and the rows.
bool is_moved(const Error& error) {
  constexpr std::string_view kGone[] = {"42P01", "42703", "23503"};
  if (dynamic_cast<const ContentMoved*>(&error) != nullptr) return true;
  const auto* const said = dynamic_cast<const pg::ServerError*>(&error);
  return said != nullptr &&
         (pg::is_retryable(*said) ||
          std::find(std::begin(kGone), std::end(kGone), said->sqlstate()) != std::end(kGone));
}

}  // namespace coppice::engine
