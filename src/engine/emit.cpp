#include "engine/emit.h"

#include <fmt/core.h>

namespace coppice::engine {
namespace {

// The types that nearly every column has, by their fixed oids (pg_type.dat).
const char* common_type_name(pg::TypeOid oid) {
  switch (oid) {
    case 16:
      return "boolean";
    case 17:
      return "bytea";
    case 20:
      return "bigint";
    case 21:
      return "smallint";
    case 23:
      return "integer";
    case 114:
      return "json";
    case 700:
      return "real";
    case 701:
      return "double precision";
    case 1082:
      return "date";
    case 1114:
      return "timestamp without time zone";
    case 1184:
      return "timestamp with time zone";
    case 2950:
      return "uuid";
    case 3802:
      return "jsonb";
    default:
      return nullptr;
  }
}

std::string asked_type_name(EngineContext& context, const pg::Column& column) {
  // A column of a domain is described by the type beneath; its table knows the domain.
  const pg::Result row = context.main.exec_cached(
      "SELECT CASE WHEN n.nspname = 'coppice' THEN t.typname::text "
      "ELSE format_type($1::oid, $2::integer) END "
      "FROM (SELECT 1) one LEFT JOIN pg_attribute a ON a.attrelid = $3::oid AND a.attnum = $4::int "
      "LEFT JOIN pg_type t ON t.oid = a.atttypid AND t.typtype = 'd' "
      "LEFT JOIN pg_namespace n ON n.oid = t.typnamespace",
      {std::to_string(column.type_oid), std::to_string(column.type_modifier),
       std::to_string(column.table_oid), std::to_string(column.table_column)});
  return row.rows() > 0 ? std::string(row.text(0, 0)) : "text";
}

void emit_rows(const pg::Result& result, ResultSink& sink) {
  std::vector<std::optional<std::string_view>> values(
      static_cast<std::size_t>(result.column_count()));
  for (int row = 0; row < result.rows(); ++row) {
    for (int column = 0; column < result.column_count(); ++column) {
      values[static_cast<std::size_t>(column)] = result.value(row, column);
    }
    sink.row(values);
  }
}

}  // namespace

std::vector<ResultColumn> result_columns(EngineContext& context,
                                         const std::vector<pg::Column>& columns) {
  std::vector<ResultColumn> described;
  for (const pg::Column& column : columns) {
    const char* common = common_type_name(column.type_oid);
    const bool plain_text = column.type_oid == 25 && column.table_oid == 0;
    std::string type = common != nullptr ? common : plain_text ? "text" : "";
    if (type.empty()) type = asked_type_name(context, column);
    described.push_back({column.name, std::move(type)});
  }
  return described;
}

void emit_result(EngineContext& context, const pg::Result& result, ResultSink& sink) {
  sink.begin_rows(result_columns(context, result.columns()));
  emit_rows(result, sink);
  sink.end_rows();
}

void emit_results(EngineContext& context, const std::vector<pg::Result>& results,
                  ResultSink& sink) {
  if (results.empty()) return;
  sink.begin_rows(result_columns(context, results.front().columns()));
  for (const pg::Result& result : results) emit_rows(result, sink);
  sink.end_rows();
}

std::uint64_t emit_stream(EngineContext& context, pg::RowStream& stream, ResultSink& sink) {
  std::uint64_t rows = 0;
  sink.begin_rows(result_columns(context, stream.columns()));
  while (stream.next()) {
    if (++rows % 4096 == 0) context.check_stop();
    sink.row(stream.row());
  }
  sink.end_rows();
  return rows;
}

RowsOut::RowsOut(ResultSink& sink, std::vector<ResultColumn> columns) : sink_(sink) {
  sink_.begin_rows(columns);
}

void RowsOut::row(const std::vector<std::optional<std::string>>& values) {
  std::vector<std::optional<std::string_view>> views;
  for (const auto& value : values) {
    views.push_back(value ? std::optional<std::string_view>(*value) : std::nullopt);
  }
  sink_.row(views);
}

void RowsOut::end() { sink_.end_rows(); }

}  // namespace coppice::engine
