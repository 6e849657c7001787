#include "engine/copy.h"

#include <fmt/core.h>

#include <array>

#include "base/files.h"
#include "base/text.h"
#include "base/whole_file.h"
#include "catalog/expressions.h"
#include "engine/copy_header.h"
#include "engine/csv_input.h"
#include "engine/engine_query.h"
#include "engine/query.h"
#include "engine/statement_tools.h"
#include "exec/binder.h"
#include "pg/copy.h"
#include "sql/deparse.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;
using sql::as;

constexpr std::array<std::string_view, 11> kCopyOptions = {
    "format",   "header",         "delimiter",  "null",        "quote", "escape",
    "encoding", "force_not_null", "force_null", "force_quote", "freeze"};

// The columns of FORCE_NULL (a, b); "*" for a star.
std::string column_list(const PgQuery__CopyStmt& copy, const std::string& option,
                        const TableInfo* table) {
  for (sql::Node* node : sql::nodes(copy.n_options, copy.options)) {
    const auto* element = as<PgQuery__DefElem>(node);
    if (element == nullptr || option != element->defname) continue;
    const auto* list = as<PgQuery__List>(element->arg);
    if (list == nullptr) return "*";
    std::vector<std::string> names = sql::names_in(list->n_items, list->items);
    for (std::string& name : names) {
      const ColumnInfo* column = table == nullptr ? nullptr : table->find_column(name);
      if (column != nullptr) name = column->physical;
    }
    return "(" + identifier_list(names) + ")";
  }
  return "*";
}

bool matches_header(const sql::Option& option) {
  return option.name == "header" && lower(option.value.value_or("")) == "match";
}

// How the first line is to be read, when it must name the columns.
std::optional<HeaderForm> header_to_match(const PgQuery__CopyStmt& copy) {
  HeaderForm form;
  bool match = false;
  std::string delimiter, quote, escape;
  for (const sql::Option& option : sql::options_in(copy.n_options, copy.options)) {
    const std::string value = option.value.value_or("");
    if (option.name == "format") form.csv = lower(value) == "csv";
    if (option.name == "delimiter") delimiter = value;
    if (option.name == "quote") quote = value;
    if (option.name == "escape") escape = value;
    match = match || matches_header(option);
  }
  if (!match) return std::nullopt;
  form.delimiter = delimiter.empty() ? (form.csv ? ',' : '\t') : delimiter[0];
  form.quote = quote.empty() ? '"' : quote[0];
  form.escape = escape.empty() ? form.quote : escape[0];
  return form;
}

// The options, checked by name and written again: values are literals, never spliced text.
// `table`: write physical names, for COPY FROM; nullptr: the user's names.
std::string options_text(const PgQuery__CopyStmt& copy, const sql::Statement& statement,
                         const TableInfo* table) {
  std::vector<std::string> parts;
  for (const sql::Option& option : sql::options_in(copy.n_options, copy.options)) {
    if (std::find(kCopyOptions.begin(), kCopyOptions.end(), option.name) == kCopyOptions.end()) {
      const std::vector<std::string> known(kCopyOptions.begin(), kCopyOptions.end());
      throw statement.error(ErrorCode::kNotFound, option.location,
                            fmt::format("COPY option \"{}\" is not known", option.name),
                            did_you_mean(option.name, known));
    }
    if (option.name == "freeze") {
      throw statement.error(ErrorCode::kUnsupported, option.location,
                            "COPY option freeze is not supported");
    }
    if (option.name.starts_with("force_")) {
      parts.push_back(option.name + " " + column_list(copy, option.name, table));
      continue;
    }
    if (option.name == "header" && matches_header(option)) {
      parts.push_back("header");  // looked at before it is sent
      continue;
    }
    parts.push_back(option.value ? option.name + " " + sql::quote_literal(*option.value)
                                 : option.name);
  }
  return parts.empty() ? "" : "WITH (" + join(parts, ", ") + ")";
}

// CSV with the usual quotes, in an encoding that has them as one byte.
bool is_plain_csv(const PgQuery__CopyStmt& copy) {
  bool csv = false;
  for (const sql::Option& option : sql::options_in(copy.n_options, copy.options)) {
    if (option.name == "format") csv = lower(option.value.value_or("")) == "csv";
    const bool quotes = option.name == "quote" || option.name == "escape";
    if (quotes && option.value != "\"") return false;
    const std::string value = lower(option.value.value_or(""));
    if (option.name == "encoding" && value != "utf8" && value != "utf-8") return false;
  }
  return csv;
}

std::string file_of(const PgQuery__CopyStmt& copy, const sql::Statement& statement) {
  if (copy.filename == nullptr || *copy.filename == '\0') {
    throw statement.error(ErrorCode::kUnsupported, -1,
                          "COPY FROM STDIN and TO STDOUT have no stream here",
                          "name a file, or use: coppice insert TABLE --from -, coppice export");
  }
  return copy.filename;
}

}  // namespace

DataSource file_source(const std::filesystem::path& file) {
  auto reader = std::make_shared<FileReader>(file);
  auto buffer = std::make_shared<std::string>(64 << 10, '\0');
  return [reader, buffer]() -> std::string_view {
    return {buffer->data(), reader->read(buffer->data(), buffer->size())};
  };
}

CopyRequest read_copy(const sql::Statement& statement, const TableInfo& table) {
  const auto& copy = *as<PgQuery__CopyStmt>(statement.node());
  CopyRequest request;
  request.columns = sql::names_in(copy.n_attlist, copy.attlist);
  request.options = options_text(copy, statement, &table);
  if (copy.where_clause != nullptr) request.where = sql::deparse_expression(copy.where_clause);
  const std::filesystem::path file = file_of(copy, statement);
  const bool quotes_markers = is_plain_csv(copy);
  const std::optional<HeaderForm> header = header_to_match(copy);
  std::vector<std::string> names = request.columns;
  for (const ColumnInfo* column : table.visible_columns()) {
    if (request.columns.empty() && !column->computed()) names.push_back(column->name);
  }
  request.open = [file, quotes_markers, header, names, table_name = table.name.name] {
    DataSource source = file_source(file);
    if (header) source = with_checked_header(std::move(source), *header, names, table_name);
    return quotes_markers ? quote_end_markers(std::move(source)) : source;
  };
  return request;
}

namespace {

std::string copy_statement(const TableInfo& table, const std::string& store_name,
                           const CopyRequest& request) {
  std::vector<std::string> physical;
  std::vector<std::string> known;
  for (const ColumnInfo* column : table.visible_columns()) {
    known.push_back(column->name);
    if (request.columns.empty() && !column->computed()) physical.push_back(column->physical);
  }
  for (const std::string& name : request.columns) {
    const ColumnInfo* column = table.find_column(name);
    if (column == nullptr) {
      throw Error(
          ErrorCode::kNotFound,
          fmt::format("column \"{}\" of relation \"{}\" does not exist", name, table.name.name),
          did_you_mean(name, known));
    }
    if (column->computed()) {
      throw Error(ErrorCode::kRefused,
                  fmt::format("column \"{}\" cannot be copied into: it is computed", name),
                  "leave it out of the column list");
    }
    physical.push_back(column->physical);
  }
  std::string sql =
      fmt::format("COPY {} ({}) FROM STDIN {}", store_name, join(physical, ", "), request.options);
  if (!request.where.empty()) sql += " WHERE " + catalog::in_store_names(table, request.where);
  return sql;
}

std::uint64_t send_all(EngineContext& context, const std::string& sql, const DataSource& source) {
  pg::CopyIn copy(context.main, sql);
  for (std::string_view piece = source(); !piece.empty(); piece = source()) {
    context.check_stop();
    copy.write(piece);
  }
  return copy.finish();
}

}  // namespace

std::uint64_t copy_into(EngineContext& context, const TableInfo& table,
                        const std::string& store_name, const CopyRequest& request) {
  return send_all(context, copy_statement(table, store_name, request), request.open());
}

void DirectCopy::plan(EngineContext&, const TableInfo& table) {
  planned_ = copy_statement(table, table.store_table(), request_);
}

void DirectCopy::write(EngineContext& context, const catalog::Operation&,
                       const std::vector<std::int64_t>&, catalog::RowCounts& counts) {
  counts.inserted = static_cast<std::int64_t>(send_all(context, planned_, request_.open()));
}

// As PostgreSQL: without computed columns, so that COPY … FROM reads what COPY … TO wrote. Nothing
// for what is no table of ours, or a version of one.
std::vector<std::string> given_columns(EngineContext& context, const PgQuery__RangeVar& relation) {
  std::vector<std::string> names;
  const catalog::TablePointer table = context.catalog.find_table(sql::relation_name(relation));
  if (table == nullptr) return names;
  for (const ColumnInfo* column : table->visible_columns()) {
    if (!column->computed()) names.push_back(column->name);
  }
  return names;
}

std::uint64_t copy_to_file(EngineContext& context, sql::Statement& statement,
                           const SqlParameters& parameters) {
  if (!statement.parameters().empty()) {
    bind_parameters(statement, parameters);
    throw statement.error(ErrorCode::kUnsupported, -1, "COPY takes no parameters",
                          "use: coppice export \"SELECT …\"");
  }
  resolve_versions(context, statement);
  qualify_media_types(sql::message_of(statement.node()), statement.arena());
  const auto& copy = *as<PgQuery__CopyStmt>(statement.node());
  const std::filesystem::path file = file_of(copy, statement);
  if (copy.query != nullptr && as<PgQuery__SelectStmt>(copy.query) == nullptr) {
    throw statement.error(ErrorCode::kUnsupported, -1, "COPY (…) TO takes a query here",
                          "run the statement, and COPY what it gave");
  }
  if (exec::mentions_engine_function(statement.node(), context.functions) ||
      reads_engine_view(context, statement)) {
    throw statement.error(ErrorCode::kUnsupported, -1, "COPY … TO cannot call engine functions",
                          "use: coppice export \"SELECT …\"");
  }
  std::string source;
  if (copy.query != nullptr) {
    source = "(" + sql::deparse(copy.query) + ")";
  } else {
    std::vector<std::string> columns = sql::names_in(copy.n_attlist, copy.attlist);
    if (columns.empty()) columns = given_columns(context, *copy.relation);
    // A view can only be copied as a query.
    source = fmt::format("(SELECT {} FROM {})", columns.empty() ? "*" : identifier_list(columns),
                         sql::relation_name(*copy.relation).text());
  }
  const std::string sent =
      fmt::format("COPY {} TO STDOUT {}", source, options_text(copy, statement, nullptr));
  WholeFile output(file);
  std::optional<pg::CopyOut> begun;
  try {
    begun.emplace(context.reader(), sent);
  } catch (const pg::ServerError& error) {
    throw query_error(context, error, sent, statement);
  }
  pg::CopyOut& stream = *begun;
  for (std::uint64_t pieces = 1; const auto piece = stream.read(); ++pieces) {
    if (pieces % 1024 == 0) context.check_stop();
    write_all(output.fd(), *piece, file.string());
  }
  output.commit();
  return stream.row_count();
}

}  // namespace coppice::engine
