#include "engine/bulk_insert.h"

#include <fmt/core.h>

#include <algorithm>
#include <memory>

#include "base/files.h"
#include "base/text.h"
#include "engine/copy.h"
#include "engine/csv_input.h"
#include "engine/direct_write.h"
#include "engine/json_lines.h"
#include "engine/query.h"
#include "engine/staged_write.h"
#include "engine/statement_tools.h"
#include "sql/classify.h"
#include "sql/parse.h"

namespace coppice::engine {
namespace {

namespace fs = std::filesystem;
using catalog::ColumnInfo;
using catalog::TablePointer;

constexpr std::size_t kPieceBytes = 64 << 10;

std::string csv_field(const std::optional<std::string>& value) {
  if (!value) return "";  // COPY's csv reads an unquoted empty field as NULL
  std::string field = "\"";
  for (const char c : *value) field.append(c == '"' ? 2 : 1, c);
  return field + "\"";
}

std::string csv_row(const std::vector<std::optional<std::string>>& values) {
  std::string row;
  for (const auto& value : values)
    row += (row.empty() && &value == values.data() ? "" : ",") + csv_field(value);
  return row + "\n";
}

// A stream can be read once; a statement that has to be repeated cannot have it again.
std::function<DataSource()> once(DataSource source, const std::string& name) {
  auto used = std::make_shared<bool>(false);
  return [source = std::move(source), used, name] {
    if (*used) {
      throw Error(ErrorCode::kConflict,
                  fmt::format("{} cannot be read twice, and the table was altered meanwhile", name),
                  "run the command again");
    }
    *used = true;
    return source;
  };
}

CopyRequest csv_request(const InsertOptions& options) {
  CsvHeader read = read_csv_header(*options.input, options.input_name);
  CopyRequest request;
  request.columns = std::move(read.names);
  request.options = "WITH (FORMAT csv, HEADER true)";
  auto header = std::make_shared<std::string>(std::move(read.record));
  auto buffer = std::make_shared<std::string>(kPieceBytes, '\0');
  std::istream* input = options.input;
  request.open = once(quote_end_markers([header, buffer, input]() -> std::string_view {
                        if (!header->empty()) {
                          buffer->swap(*header);
                          header->clear();
                          return *buffer;
                        }
                        buffer->resize(kPieceBytes);
                        input->read(buffer->data(), static_cast<std::streamsize>(buffer->size()));
                        return {buffer->data(), static_cast<std::size_t>(input->gcount())};
                      }),
                      options.input_name);
  return request;
}

CopyRequest jsonl_request(const InsertOptions& options, const std::shared_ptr<JsonLines>& lines) {
  if (lines->columns().empty()) {
    throw Error(ErrorCode::kInvalidInput, options.input_name + " holds no JSON object");
  }
  CopyRequest request;
  request.columns = lines->columns();
  request.options = "WITH (FORMAT text)";
  request.open = once([lines] { return lines->next(); }, options.input_name);
  return request;
}

// The server counts the objects it is sent; blank lines between them are counted in the input.
std::string with_line_of_input(const std::string& message, const JsonLines& lines) {
  constexpr std::string_view kLine = ", line ";
  const std::size_t copy = message.rfind("(COPY ");
  const std::size_t at = copy == std::string::npos ? copy : message.find(kLine, copy);
  if (at == std::string::npos) return message;
  const std::size_t begin = at + kLine.size();
  const std::size_t end = message.find_first_not_of("0123456789", begin);
  if (end == begin) return message;
  const std::size_t object = std::stoul(message.substr(begin, end - begin));
  return message.substr(0, begin) + std::to_string(lines.line_of(object)) + message.substr(end);
}

const ColumnInfo& media_column(const catalog::TableInfo& table) {
  const ColumnInfo* found = nullptr;
  for (const ColumnInfo* column : table.visible_columns()) {
    if (column->computed() || !column->media_kind()) continue;
    if (found != nullptr) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("table {} has several media columns: \"{}\", \"{}\"",
                              table.user_name(), found->name, column->name),
                  "give the files as rows: coppice insert TABLE --from files.csv");
    }
    found = column;
  }
  if (found == nullptr) {
    throw Error(ErrorCode::kUsage, fmt::format("table {} has no media column", table.user_name()));
  }
  return *found;
}

// A text column that takes the file's name, when there is one of a usual name.
const ColumnInfo* name_column(const catalog::TableInfo& table) {
  for (const char* name : {"file", "filename", "file_name", "name", "path"}) {
    const ColumnInfo* column = table.find_column(name);
    if (column != nullptr && !column->computed() && !column->media_kind()) return column;
  }
  return nullptr;
}

// The files of a folder and of those in it, in the order of their names. Hidden ones do not count.
class FolderFiles {
 public:
  // With `skip`, what cannot be taken is told as a notice and left out.
  FolderFiles(const fs::path& folder, bool skip, ResultSink& sink) : skip_(skip), sink_(sink) {
    std::vector<fs::path> folders = {folder};
    while (!folders.empty()) {
      const fs::path next = std::move(folders.back());
      folders.pop_back();
      list(next, folders);
    }
    std::sort(files_.begin(), files_.end());
  }

  const std::vector<fs::path>& paths() const { return files_; }

 private:
  void list(const fs::path& folder, std::vector<fs::path>& folders) {
    std::error_code failure;
    fs::directory_iterator entries(folder, failure);
    for (; !failure && entries != fs::directory_iterator(); entries.increment(failure)) {
      const fs::path& path = entries->path();
      std::error_code ignored;
      if (path.filename().string().front() == '.') continue;
      if (entries->is_directory(ignored) && !entries->is_symlink(ignored)) {
        folders.push_back(path);
      } else if (entries->is_regular_file(ignored)) {
        add(path);
      }
    }
    if (failure) {
      leave_out(
          Error(ErrorCode::kIo,
                fmt::format("cannot read the folder {}: {}", folder.string(), failure.message()),
                "check who may use it; --skip-bad-files leaves it out"));
    }
  }

  void add(const fs::path& path) {
    const std::string name = path.string();
    const auto invalid = first_invalid_utf8(name);
    if (!invalid) return files_.push_back(path);
    std::string shown;
    for (const char c : name) {
      const auto byte = static_cast<unsigned char>(c);
      shown += byte < 0x80 ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
    }
    leave_out(Error(ErrorCode::kInvalidInput, fmt::format("the name of {} is not UTF-8", shown),
                    "rename the file; --skip-bad-files leaves it out"));
  }

  void leave_out(const Error& error) {
    if (!skip_) throw error;
    sink_.notice("left out: " + error.message());
  }

  bool skip_;
  ResultSink& sink_;
  std::vector<fs::path> files_;
};

CopyRequest folder_request(const InsertOptions& options, const catalog::TableInfo& table,
                           ResultSink& sink) {
  const ColumnInfo& media = media_column(table);
  const ColumnInfo* name = name_column(table);
  if (!fs::is_directory(options.folder)) {
    throw Error(ErrorCode::kNotFound, fmt::format("{} is not a folder", options.folder.string()));
  }
  CopyRequest request;
  request.columns = {media.name};
  if (name != nullptr) request.columns.push_back(name->name);
  request.options = "WITH (FORMAT csv)";
  request.skip_bad_media = options.ignore_errors;
  std::string rows;
  const FolderFiles files(options.folder, options.ignore_errors, sink);
  for (const fs::path& file : files.paths()) {
    std::vector<std::optional<std::string>> values = {fs::absolute(file).string()};
    if (name != nullptr) values.push_back(file.lexically_relative(options.folder).string());
    rows += csv_row(values);
  }
  request.open = [rows] {
    auto left = std::make_shared<std::string>(rows);
    auto given = std::make_shared<std::string>();
    return [left, given]() -> std::string_view {
      given->swap(*left);
      left->clear();
      return *given;
    };
  };
  return request;
}

}  // namespace

void bulk_insert(EngineContext& context, const std::string& table_name,
                 const InsertOptions& options, ResultSink& sink) {
  const TablePointer table = context.catalog.table(sql::parse_qualified_name(table_name));
  refuse_written_view(context, *table, nullptr, -1);
  std::shared_ptr<JsonLines> lines;
  CopyRequest request;
  if (options.format == InsertFormat::kJsonl) {
    lines = std::make_shared<JsonLines>(*options.input, options.input_name, *table);
    request = jsonl_request(options, lines);
  } else {
    request = options.format == InsertFormat::kCsv ? csv_request(options)
                                                   : folder_request(options, *table, sink);
  }
  const std::string source =
      options.format == InsertFormat::kFolder ? options.folder.string() : options.input_name;
  const std::string statement =
      fmt::format("coppice insert {} --from {}", table->user_name(), source);
  try {
    if (!table->views.empty() || table->has_media() || table->has_engine_columns()) {
      return run_staged_copy(context, *table, request, statement, sink);
    }
    DirectCopy write(std::move(request));
    const WriteOutcome outcome = run_direct_write(context, table->name, statement, write);
    sink.done(fmt::format("INSERT 0 {}", outcome.counts.inserted), outcome.version);
  } catch (const Error& error) {
    std::string message = error.message();
    if (lines != nullptr) message = with_line_of_input(message, *lines);
    if (message.find(source) == std::string::npos) message = source + ": " + message;
    throw Error(error.code(), message, error.hint());
  }
}

void export_rows(EngineContext& context, const std::string& table_or_query, ResultSink& sink) {
  std::string query = table_or_query;
  const std::string first = lower(std::string(trim(query)).substr(0, 6));
  const bool is_query = first == "select" || first == "values" || first.starts_with("with") ||
                        first.starts_with("table ");
  if (!is_query) {
    const sql::VersionedName name = sql::parse_versioned_name(query);
    sql::QualifiedName relation = name.table;
    if (name.version) relation.name += ":" + *name.version;
    query = "SELECT * FROM " + relation.text();
  }
  sql::Statement statement = sql::parse_statement(query);
  const sql::StatementKind kind = sql::require_supported(statement);
  if (kind != sql::StatementKind::kSelect && kind != sql::StatementKind::kValues) {
    throw statement.error(ErrorCode::kUsage, 0, "export takes a table or a query",
                          "run what changes something with coppice sql");
  }
  const std::uint64_t rows = run_query(context, statement, {}, sink);
  sink.done(fmt::format("EXPORT {}", rows), std::nullopt);
}

}  // namespace coppice::engine
