#include "engine/bulk_insert.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/text.h"
#include "engine/copy.h"
#include "engine/direct_write.h"
#include "engine/query.h"
#include "engine/staged_write.h"
#include "sql/parse.h"

namespace coppice::engine {
namespace {

namespace fs = std::filesystem;
using catalog::ColumnInfo;
using catalog::TablePointer;
using nlohmann::json;

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

// The fields of one csv record; quotes and doubled quotes as RFC 4180 has them.
std::vector<std::string> csv_fields(std::string_view record) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < record.size(); ++i) {
    const char c = record[i];
    if (quoted && c == '"' && i + 1 < record.size() && record[i + 1] == '"') {
      fields.back() += '"';
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else if (c != '\r' && c != '\n') {
      fields.back() += c;
    }
  }
  return fields;
}

// The first record of the input, line end included; it may hold quoted line breaks.
std::string first_record(std::istream& input) {
  std::string record;
  std::string line;
  do {
    if (!std::getline(input, line)) break;
    record += line + "\n";
  } while (std::count(record.begin(), record.end(), '"') % 2 != 0);
  return record;
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
  auto header = std::make_shared<std::string>(first_record(*options.input));
  if (trim(*header).empty()) {
    throw Error(ErrorCode::kInvalidInput, options.input_name + " is empty",
                "its first line must name the columns");
  }
  CopyRequest request;
  std::string_view record = *header;
  if (record.starts_with("\xef\xbb\xbf")) record.remove_prefix(3);
  for (const std::string& field : csv_fields(record)) request.columns.emplace_back(trim(field));
  request.options = "WITH (FORMAT csv, HEADER true)";
  auto buffer = std::make_shared<std::string>(kPieceBytes, '\0');
  std::istream* input = options.input;
  request.open = once(
      [header, buffer, input]() -> std::string_view {
        if (!header->empty()) {
          buffer->swap(*header);
          header->clear();
          return *buffer;
        }
        buffer->resize(kPieceBytes);
        input->read(buffer->data(), static_cast<std::streamsize>(buffer->size()));
        return {buffer->data(), static_cast<std::size_t>(input->gcount())};
      },
      options.input_name);
  return request;
}

// A JSON array for an array column, as PostgreSQL writes arrays.
std::string array_text(const json& array) {
  std::string text = "{";
  for (const json& element : array) {
    if (text.size() > 1) text += ',';
    if (element.is_null()) {
      text += "NULL";
    } else if (element.is_array()) {
      text += array_text(element);
    } else {
      const std::string plain = element.is_string() ? element.get<std::string>() : element.dump();
      text += '"';
      for (const char c : plain) {
        if (c == '"' || c == '\\') text += '\\';
        text += c;
      }
      text += '"';
    }
  }
  return text + "}";
}

std::optional<std::string> json_field(const json& value, const ColumnInfo& column) {
  const bool is_json = column.type == "json" || column.type == "jsonb";
  if (value.is_null()) return std::nullopt;
  if (is_json) return value.dump();
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array() && column.type.ends_with("[]")) return array_text(value);
  return value.dump();
}

// Lines of JSON objects as csv rows. The keys of the first object name the columns.
class JsonLines {
 public:
  JsonLines(const InsertOptions& options, const catalog::TableInfo& table)
      : input_(*options.input), name_(options.input_name), table_(table) {
    if (read_line()) {
      for (const auto& [key, value] : object_.items()) columns_.push_back(key);
    }
  }

  const std::vector<std::string>& columns() const { return columns_; }

  std::string_view next() {
    piece_.clear();
    while (have_line_ && piece_.size() < kPieceBytes) {
      std::vector<std::optional<std::string>> values;
      for (const std::string& name : columns_) {
        const auto found = object_.find(name);
        const ColumnInfo* column = table_.find_column(name);
        values.push_back(found == object_.end() || column == nullptr ? std::nullopt
                                                                     : json_field(*found, *column));
      }
      for (const auto& [key, value] : object_.items()) {
        if (std::find(columns_.begin(), columns_.end(), key) != columns_.end()) continue;
        throw Error(
            ErrorCode::kInvalidInput,
            fmt::format("{}, line {}: key \"{}\" is not in the first line", name_, line_, key),
            did_you_mean(key, columns_));
      }
      piece_ += csv_row(values);
      read_line();
    }
    return piece_;
  }

 private:
  bool read_line() {
    std::string text;
    have_line_ = false;
    while (std::getline(input_, text)) {
      ++line_;
      if (trim(text).empty()) continue;
      object_ = json::parse(text, nullptr, false);
      if (!object_.is_object()) {
        throw Error(ErrorCode::kInvalidInput,
                    fmt::format("{}, line {}: not a JSON object", name_, line_),
                    "each line must be one object, as {\"id\": 1, \"title\": \"a\"}");
      }
      return have_line_ = true;
    }
    return false;
  }

  std::istream& input_;
  std::string name_;
  const catalog::TableInfo& table_;
  std::vector<std::string> columns_;
  json object_;
  std::size_t line_ = 0;
  bool have_line_ = false;
  std::string piece_;
};

CopyRequest jsonl_request(const InsertOptions& options, const catalog::TableInfo& table) {
  auto lines = std::make_shared<JsonLines>(options, table);
  if (lines->columns().empty()) {
    throw Error(ErrorCode::kInvalidInput, options.input_name + " holds no JSON object");
  }
  CopyRequest request;
  request.columns = lines->columns();
  request.options = "WITH (FORMAT csv)";
  request.open = once([lines] { return lines->next(); }, options.input_name);
  return request;
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

std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().filename().string()[0] != '.') {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

CopyRequest folder_request(const InsertOptions& options, const catalog::TableInfo& table) {
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
  for (const fs::path& file : files_below(options.folder)) {
    std::vector<std::optional<std::string>> values = {fs::absolute(file).string()};
    if (name != nullptr) values.push_back(fs::relative(file, options.folder).string());
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
  CopyRequest request = options.format == InsertFormat::kCsv     ? csv_request(options)
                        : options.format == InsertFormat::kJsonl ? jsonl_request(options, *table)
                                                                 : folder_request(options, *table);
  const std::string source =
      options.format == InsertFormat::kFolder ? options.folder.string() : options.input_name;
  const std::string statement =
      fmt::format("coppice insert {} --from {}", table->user_name(), source);
  try {
    if (table->has_media() || table->has_engine_columns()) {
      return run_staged_copy(context, *table, request, statement, sink);
    }
    DirectCopy write(std::move(request));
    const WriteOutcome outcome = run_direct_write(context, table->name, statement, write);
    sink.done(fmt::format("INSERT 0 {}", outcome.counts.inserted), outcome.version);
  } catch (const Error& error) {
    if (error.message().find(source) != std::string::npos) throw;
    throw Error(error.code(), source + ": " + error.message(), error.hint());
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
  const std::uint64_t rows = run_query(context, statement, {}, sink);
  sink.done(fmt::format("EXPORT {}", rows), std::nullopt);
}

}  // namespace coppice::engine
