#include "engine/media_verbs.h"

#include <fmt/core.h>

#include <deque>

#include "base/files.h"
#include "base/text.h"
#include "engine/emit.h"
#include "engine/frame_pool.h"
#include "engine/reference_reader.h"
#include "media/frame_name.h"
#include "pg/row_stream.h"

namespace coppice::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kCopyBytes = 1 << 20;
constexpr std::size_t kReferencesAtOnce = 64;

// A file that holds the value's bytes; content of a URL stays in the cache as long as this lives.
struct MediaFile {
  fs::path path;
  std::string name;  // "<sha256>.<ext>"
  std::optional<CachedObject> cached;
};

std::string file_name(const MediaName& name) { return name.sha256_hex + "." + name.extension; }

MediaFile open_object(EngineContext& context, const std::string& value) {
  if (FrameName::parse(value)) {
    return open_object(context, stored_frame(context.pool(), value, context.stop.get_token()));
  }
  if (const auto name = MediaName::parse(value)) {
    return {context.media.find(*name), file_name(*name), {}};
  }
  throw Error(ErrorCode::kUsage, fmt::format("\"{}\" is no media value", value),
              "a value is media:<64 hexadecimal digits>.<extension>, or frame:… of a video, as a "
              "query shows it");
}

// The files of values in their order; references are fetched several at a time.
class MediaFiles {
 public:
  MediaFiles(EngineContext& context, const std::vector<std::string>& values)
      : context_(context), reader_(context, references_in(values)) {}

  MediaFile open(const std::string& value) {
    context_.check_stop();
    if (!is_http_url(value)) return open_object(context_, value);
    if (fetched_.empty()) fetch();
    ReadReference next = std::move(fetched_.front());
    fetched_.pop_front();
    if (const auto* error = std::get_if<Error>(&next)) throw *error;
    auto& object = std::get<CachedObject>(next);
    MediaFile file{object.file, file_name(object.name), {}};
    file.cached = std::move(object);
    return file;
  }

 private:
  static std::vector<WantedReference> references_in(const std::vector<std::string>& values) {
    std::vector<WantedReference> references;
    for (const std::string& value : values) {
      if (is_http_url(value)) references.push_back({value, std::nullopt});
    }
    return references;
  }

  void fetch() {
    std::vector<std::size_t> numbers;
    while (number_ + numbers.size() < reader_.wanted().size() &&
           numbers.size() < kReferencesAtOnce) {
      numbers.push_back(number_ + numbers.size());
    }
    for (ReadReference& reference :
         reader_.check(numbers, reader_.fetch(numbers, 1, context_.stop.get_token()))) {
      fetched_.push_back(std::move(reference));
      ++number_;
    }
  }

  EngineContext& context_;
  ReferenceReader reader_;
  std::size_t number_ = 0;  // of the reference that is fetched next
  std::deque<ReadReference> fetched_;
};

// The column of a table or view that TABLE.COLUMN names, checked to hold media.
void require_media_column(EngineContext& context, const sql::ColumnName& name) {
  std::optional<catalog::MediaKind> kind;
  std::vector<std::string> names;
  if (const auto table = context.catalog.find_table(name.table)) {
    for (const catalog::ColumnInfo* column : table->visible_columns()) {
      names.push_back(column->name);
      if (column->name == name.column) kind = column->media_kind();
    }
  } else {
    context.catalog.throw_unknown_table(name.table);
  }
  if (std::find(names.begin(), names.end(), name.column) == names.end()) {
    throw Error(ErrorCode::kNotFound,
                fmt::format("column \"{}\" of relation \"{}\" does not exist", name.column,
                            name.table.name),
                did_you_mean(name.column, names));
  }
  if (kind) return;
  throw Error(ErrorCode::kType, fmt::format("column \"{}\" holds no media", name.column),
              "name a column of type image, video, audio or document");
}

std::vector<std::string> values_of(EngineContext& context, const std::string& text) {
  if (object_behind(text) || is_http_url(text)) return {text};
  if (text.starts_with("media:") || text.starts_with("frame:") ||
      text.find('.') == std::string::npos) {
    open_object(context, text);  // throws what is wrong with it
  }
  const sql::ColumnName name = sql::parse_column_name(text);
  require_media_column(context, name);
  const pg::Result rows = context.main.exec(fmt::format(
      "SELECT DISTINCT {0} FROM {1} WHERE {0} IS NOT NULL ORDER BY 1",
      sql::quote_identifier(name.column), context.catalog.table(name.table)->user_name()));
  std::vector<std::string> values;
  for (int row = 0; row < rows.rows(); ++row) values.emplace_back(rows.text(row, 0));
  return values;
}

void copy_bytes(EngineContext& context, const fs::path& file, int output_fd,
                const std::string& what) {
  FileReader reader(file);
  std::string block(kCopyBytes, '\0');
  while (const std::size_t size = reader.read(block.data(), block.size())) {
    context.check_stop();
    write_all(output_fd, std::string_view(block).substr(0, size), what);
  }
}

// A file of the same name and size is the same object.
void copy_into(const MediaFile& file, const fs::path& target) {
  std::error_code error;
  if (fs::exists(target, error) &&
      fs::file_size(target, error) == fs::file_size(file.path, error)) {
    return;
  }
  const fs::path unfinished = target.string() + ".part";
  fs::copy_file(file.path, unfinished, fs::copy_options::overwrite_existing, error);
  if (!error) fs::permissions(unfinished, fs::perms(0644), error);
  if (!error) fs::rename(unfinished, target, error);
  if (!error) return;
  throw Error(error == std::errc::no_space_on_device ? ErrorCode::kDiskFull : ErrorCode::kIo,
              fmt::format("cannot copy {} to {}: {}", file.path.string(), target.string(),
                          error.message()));
}

}  // namespace

void show_media_path(EngineContext& context, const std::string& value_or_column, ResultSink& sink) {
  RowsOut rows(sink, {{"path", "text"}});
  const std::vector<std::string> values = values_of(context, value_or_column);
  MediaFiles files(context, values);
  for (const std::string& value : values) rows.row({files.open(value).path.string()});
  rows.end();
}

void write_media(EngineContext& context, const std::string& value, int output_fd) {
  const MediaFile file = MediaFiles(context, {value}).open(value);
  copy_bytes(context, file.path, output_fd, file.name);
}

void export_media(EngineContext& context, const std::string& value_or_column,
                  const fs::path& folder, ResultSink& sink) {
  const std::vector<std::string> values = values_of(context, value_or_column);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw Error(ErrorCode::kIo,
                fmt::format("cannot create the folder {}: {}", folder.string(), error.message()));
  }
  Progress progress{"copying media to " + folder.string(), 0, values.size()};
  RowsOut rows(sink, {{"file", "text"}});
  MediaFiles files(context, values);
  for (const std::string& value : values) {
    const MediaFile file = files.open(value);
    copy_into(file, folder / file.name);
    rows.row({(folder / file.name).string()});
    ++progress.done;
    sink.progress(progress);
  }
  rows.end();
}

}  // namespace coppice::engine
