#include "exec/select.h"

#include <fmt/format.h>

#include "base/error.h"
#include "exec/check_types.h"
#include "exec/lowering.h"
#include "pg/row_stream.h"
#include "pg/transaction.h"

namespace coppice::exec {
namespace {

std::vector<SelectColumn> describe_columns(const SelectSession& session,
                                           const PgQuery__SelectStmt& select, sql::Arena& arena,
                                           const sql::SourceText& source,
                                           std::optional<ColumnKinds> kinds) {
  const sql::Node* const node = sql::make::wrap(arena, const_cast<PgQuery__SelectStmt*>(&select));
  const std::vector<pg::Column> described =
      check_types(session.source, node, source, session.functions);
  if (!kinds) kinds = columns_of(select, nullptr, {session.functions, session.relations});
  std::vector<SelectColumn> columns;
  for (std::size_t i = 0; i < described.size(); ++i) {
    SelectColumn column{described[i].name, described[i].type_name, std::nullopt};
    if (kinds && kinds->size() == described.size()) column.kind = (*kinds)[i].kind;
    if (column.kind) column.type = catalog::media_kind_name(*column.kind);
    columns.push_back(std::move(column));
  }
  return columns;
}

std::uint64_t stream(pg::Connection& connection, const std::string& sql, RowSink& sink,
                     const SelectOptions& options) {
  std::uint64_t count = 0;
  pg::RowStream rows(connection, sql);
  while (rows.next()) {
    if (options.stop.stop_requested()) throw Error(ErrorCode::kInterrupted, "interrupted");
    sink.row(rows.row());
    ++count;
  }
  return count;
}

}  // namespace

void substitute_parameters(sql::Node*& root, std::span<const pg::Parameter> values,
                           sql::Arena& arena) {
  sql::rewrite_top_down(root, [&](sql::Node*& slot) {
    const auto* const parameter = sql::as<PgQuery__ParamRef>(slot);
    if (!parameter) return sql::Visit::kInto;
    const auto index = static_cast<std::size_t>(parameter->number) - 1;
    if (index >= values.size()) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("there is no value for parameter ${}", parameter->number));
    }
    slot = values[index] ? sql::make::string_constant(arena, *values[index])
                         : sql::make::null_constant(arena);
    return sql::Visit::kSkip;
  });
}

PreparedSelect::PreparedSelect(const SelectSession& session, sql::Arena& arena,
                               PgQuery__SelectStmt& bound, const sql::SourceText& source,
                               std::optional<ColumnKinds> kinds)
    : session_(session),
      columns_(describe_columns(session, bound, arena, source, std::move(kinds))),
      lowered_(std::make_unique<LoweredSelect>(Lowering(session, arena).run(bound))) {}

PreparedSelect::~PreparedSelect() = default;

std::uint64_t PreparedSelect::run(RowSink& sink, const SelectOptions& options) {
  pg::Transaction transaction(session_.source, pg::TransactionMode::kReadOnlySnapshot);
  for (Stage& stage : lowered_->stages) {
    stage.rows.clear();
    stage.select.run(session_, options, [&](TempTable::Row row) { stage.rows.append(row); });
    stage.rows.finish();
  }
  sink.begin(columns_);
  const std::uint64_t count =
      lowered_->top
          ? lowered_->top->run(session_, options, [&](TempTable::Row row) { sink.row(row); })
          : stream(session_.source, lowered_->sql, sink, options);
  transaction.commit();
  return count;
}

std::string PreparedSelect::explain() const {
  std::string text;
  for (const Stage& stage : lowered_->stages) {
    text += stage.select.explain() + "keep the rows in " + stage.rows.name() + "\n";
  }
  return text + (lowered_->top ? lowered_->top->explain() : "PostgreSQL: " + lowered_->sql + "\n");
}

}  // namespace coppice::exec
