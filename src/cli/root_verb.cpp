#include <fmt/core.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/json_text.h"
#include "cli/repository_words.h"
#include "cli/verb_functions.h"

namespace coppice::cli {
namespace {

RootRequest read_request(const Invocation& arguments) {
  RootRequest request;
  request.table = arguments.value("--table");
  request.column = arguments.value("--column");
  request.from_rows = arguments.has("--rows");
  request.accept = arguments.has("--accept");
  request.history = arguments.has("--history");
  if (request.column && !request.table) {
    throw Error(ErrorCode::kUsage, "--column needs the table that it is of",
                "write: coppice root --table TABLE --column " + shell_quoted(*request.column));
  }
  if (request.accept && !request.from_rows) {
    throw Error(ErrorCode::kUsage, "--accept is about what --rows finds",
                "write: coppice root --rows --accept");
  }
  if (request.history && request.table) {
    throw Error(ErrorCode::kUsage, "--history is of the whole home",
                "write: coppice root --history");
  }
  if (arguments.has("--backup") && request.from_rows) {
    throw Error(
        ErrorCode::kUsage, "--rows is of a home",
        "for a backup: coppice backup verify --rows " + shell_quoted(*arguments.value("--backup")));
  }
  return request;
}

std::string columns_json(const RootReport::Table& table) {
  JsonObject columns;
  for (const RootReport::Column& column : table.columns) columns.add(column.name, column.root);
  return columns.text();
}

std::string report_json(const RootReport& report) {
  std::vector<std::string> tables;
  for (const RootReport::Table& table : report.tables) {
    tables.push_back(JsonObject()
                         .add("table", table.name)
                         .add("root", table.root)
                         .add("version", table.version)
                         .add("rows", table.rows)
                         .add_json("columns", columns_json(table))
                         .text());
  }
  return JsonObject()
      .add("root", report.root)
      .add("rows_read", report.rows_read)
      .add_json("tables", json_array(tables))
      .add_json("differences", json_strings(report.differences))
      .text();
}

}  // namespace

int run_root(Session& session) {
  const RootRequest request = read_request(session.arguments());
  PrintingSink sink = session.sink();
  const std::optional<std::string> backup = session.arguments().value("--backup");
  const RootReport report = backup ? session.factory().recovery()->roots(named_repository(session),
                                                                         *backup, request, sink)
                                   : session.engine().root(request, sink);
  const bool is_json = session.format() == RowFormat::kJson;
  session.console().out().write((is_json ? report_json(report) : report.root) + "\n");
  if (report.differences.empty()) return 0;
  const std::string names = join(report.differences, ", ");
  if (request.accept) {
    session.console().notice("the sums of the rows are kept from now on for: " + names);
    return 0;
  }
  throw Error(ErrorCode::kIntegrity,
              "what was kept of earlier rows does not fit the rows that are there: " + names,
              "somebody else may have changed the store; to take the rows as they are: "
              "coppice root --rows --accept");
}

}  // namespace coppice::cli
