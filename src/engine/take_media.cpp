#include "engine/take_media.h"

#include <fmt/core.h>

#include "base/text.h"
#include "config/config.h"
#include "engine/compute.h"
#include "engine/frame_pool.h"
#include "engine/reference_reader.h"
#include "media/frame_name.h"
#include "media/ingest.h"
#include "pg/transaction.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;

constexpr std::size_t kFilesPerBatch = 256;
constexpr std::size_t kUrlsPerBatch = 64;

struct Taken {
  std::string given;
  Ingested ingested;
  std::string facts;  // JSON, from the probe
};

coppice::MediaKind kind_of(const ColumnInfo& column) {
  return *kind_from_name(catalog::media_kind_name(*column.media_kind()));
}

ValueType value_type(const ColumnInfo& column) {
  switch (*column.media_kind()) {
    case catalog::MediaKind::kImage:
      return ValueType::kImage;
    case catalog::MediaKind::kVideo:
      return ValueType::kVideo;
    case catalog::MediaKind::kAudio:
      return ValueType::kAudio;
    case catalog::MediaKind::kDocument:
      return ValueType::kDocument;
  }
  return ValueType::kNull;
}

struct BadFile {
  std::string given;
  CellFailure failure;
};

// A URL without its query.
std::string label_of(const std::string& given) {
  return is_http_url(given) ? printable_url(given) : given;
}

// Decodes each object once, in the workers. Those that are not whole are taken out of the batch
// and given back.
std::vector<BadFile> validate(EngineContext& context, const ColumnInfo& column,
                              std::vector<Taken>& batch) {
  const std::string kind(catalog::media_kind_name(*column.media_kind()));
  Fragment argument;
  argument.argument = 0;
  const Fragment probe{-1, "probe(" + kind + ")", {argument}};
  Batch rows;
  rows.row_count = batch.size();
  rows.arguments.emplace_back();
  for (const Taken& taken : batch) {
    Value value;
    value.type = value_type(column);
    value.text = taken.ingested.name.text();
    rows.arguments[0].push_back(std::move(value));
  }
  const BatchResult results = context.pool().evaluate({probe}, rows, context.stop.get_token());
  std::vector<BadFile> bad;
  std::vector<Taken> good;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (const auto* failure = std::get_if<CellFailure>(&results[0][i])) {
      bad.push_back({batch[i].given, *failure});
      continue;
    }
    batch[i].facts = std::get<Value>(results[0][i]).text;
    good.push_back(std::move(batch[i]));
  }
  batch = std::move(good);
  return bad;
}

void keep_stored(EngineContext& context, const ColumnInfo& column, const std::string& stage_name,
                 const std::vector<Taken>& batch) {
  std::vector<MediaName> stored;
  for (const Taken& taken : batch) stored.push_back(taken.ingested.name);
  context.media.make_durable(stored);
  exec::TextColumn given, value, name, kind, mime, size, facts;
  for (const Taken& taken : batch) {
    given.push_back(taken.given);
    value.push_back(taken.ingested.value);
    name.push_back(taken.ingested.name.text());
    kind.push_back(std::string(kind_name(taken.ingested.type.kind)));
    mime.push_back(std::string(taken.ingested.type.mime));
    size.push_back(std::to_string(context.media.size_of(taken.ingested.name)));
    facts.push_back(taken.facts.empty() ? exec::TextCell() : exec::TextCell(taken.facts));
  }
  pg::Transaction transaction(context.main);
  context.main.exec_params(
      "INSERT INTO coppice.media (name, kind, mime, size_bytes, facts) "
      "SELECT n, k, m, s::bigint, f::jsonb FROM unnest($1::text[], $2::text[], $3::text[], "
      "$4::text[], $5::text[]) AS v(n, k, m, s, f) ON CONFLICT (name) DO NOTHING",
      {text_array(name), text_array(kind), text_array(mime), text_array(size), text_array(facts)});
  context.main.exec_params(
      fmt::format("UPDATE {0} s SET {1} = v.new FROM unnest($1::text[], $2::text[]) AS v(old, new) "
                  "WHERE s.{1} = v.old",
                  stage_name, column.physical),
      {text_array(given), text_array(value)});
  transaction.commit();
}

// The staged values of one column on their way.
class MediaTaker {
 public:
  MediaTaker(EngineContext& context, const StagedMedia& staged, ResultSink& sink)
      : context_(context),
        staged_(staged),
        column_(staged.column),
        sink_(sink),
        keeps_(keeps_references(context, staged.column)),
        checks_(context.config.text("media.validate") == "write"),
        ingest_(
            context.media, context.url_cache(),
            {std::filesystem::current_path(), keeps_ ? UrlPolicy::kKeep : UrlPolicy::kTakeIn, true},
            {}) {}

  void run() {
    const pg::Result waiting = waiting_values();
    progress_.what =
        fmt::format("taking media into {}.{}", staged_.table.user_name(), column_.name);
    progress_.total = static_cast<std::uint64_t>(waiting.rows());
    std::vector<std::string> files, urls;
    for (int row = 0; row < waiting.rows(); ++row) {
      const std::string given(waiting.text(row, 0));
      (is_http_url(given) ? urls : files).push_back(given);
      if (files.size() == kFilesPerBatch) take_files(files);
      if (urls.size() == kUrlsPerBatch) take_urls(urls);
    }
    take_files(files);
    take_urls(urls);
    tell_of_changes();
  }

 private:
  // Names of objects that are known already need no second look.
  pg::Result waiting_values() const {
    return context_.main.exec(fmt::format(
        "SELECT DISTINCT s.{0} FROM {1} s LEFT JOIN coppice.media m ON m.name = s.{0} "
        "WHERE s.{0} IS NOT NULL AND (m.name IS NULL OR m.kind <> '{2}')",
        column_.physical, staged_.stage_name, catalog::media_kind_name(*column_.media_kind())));
  }

  void take_files(std::vector<std::string>& files) {
    std::vector<Taken> batch;
    for (const std::string& file : files) {
      take_one(file, batch, [&] {
        // A frame of a video that is given to a table becomes an object of its own.
        const bool is_frame = FrameName::parse(file).has_value();
        const std::string source =
            is_frame ? stored_frame(context_.pool(), file, context_.stop.get_token()) : file;
        return ingest_.take(source, kind_of(column_), column_.name, context_.stop.get_token());
      });
    }
    finish(std::move(batch));
    files.clear();
  }

  // In as many goes as the cache needs.
  void take_urls(std::vector<std::string>& urls) {
    if (keeps_ && !checks_) {
      record_unread(context_, staged_.operation, urls);
      advance(urls.size());
      urls.clear();
    }
    while (!urls.empty()) {
      std::vector<FetchedContent> contents = fetch_for_write(context_, urls);
      std::vector<Taken> batch;
      for (std::size_t i = 0; i < contents.size(); ++i) {
        take_one(urls[i], batch, [&] {
          if (const auto* error = std::get_if<Error>(&contents[i])) throw *error;
          return ingest_.take_fetched(urls[i], std::get<CachedObject>(std::move(contents[i])),
                                      kind_of(column_), column_.name);
        });
      }
      finish(std::move(batch));
      urls.erase(urls.begin(), urls.begin() + static_cast<std::ptrdiff_t>(contents.size()));
    }
  }

  template <typename Take>
  void take_one(const std::string& given, std::vector<Taken>& batch, Take take) {
    context_.check_stop();
    try {
      batch.push_back({given, take(), {}});
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kDiskFull || error.code() == ErrorCode::kInterrupted) throw;
      if (!staged_.skip_bad) throw with_place(given, error);
      leave_out(given, error.message());
    }
  }

  // A URL is told without its query: the row says which one it is.
  Error with_place(const std::string& given, const Error& error) const {
    if (!is_http_url(given)) return error;
    return Error(error.code(),
                 fmt::format("{} (column \"{}\" of {}, {})", error.message(), column_.name,
                             staged_.table.user_name(), row_with(given)),
                 error.hint());
  }

  // "the row with id = 3": the first one that holds the value.
  std::string row_with(const std::string& given) const {
    std::vector<std::string> fields;
    for (const ColumnInfo* named : naming_columns(staged_.table)) {
      if (named->media_kind()) continue;
      fields.push_back(fmt::format("{} || ' = ' || coalesce({}::text, 'NULL')",
                                   sql::quote_literal(named->name), named->physical));
    }
    const pg::Result row = context_.main.exec_params(
        fmt::format("SELECT concat_ws(', ', {}) FROM {} WHERE {} = $1 ORDER BY _n LIMIT 1",
                    fields.empty() ? "'number ' || _n" : join(fields, ", "), staged_.stage_name,
                    column_.physical),
        {given});
    return fmt::format("the row with {}", row.text(0, 0));
  }

  void finish(std::vector<Taken> batch) {
    const std::size_t count = batch.size();
    if (checks_ && count > 0) {
      const std::vector<BadFile> bad = validate(context_, column_, batch);
      if (!bad.empty() && !staged_.skip_bad) refuse(bad.front());
      for (const BadFile& file : bad) leave_out(file.given, file.failure.message);
    }
    keep(std::move(batch));
    advance(count);
  }

  [[noreturn]] void refuse(const BadFile& file) const {
    throw with_place(file.given,
                     Error(ErrorCode::kInvalidInput,
                           fmt::format("{} cannot be taken into column \"{}\": {}",
                                       label_of(file.given), column_.name, file.failure.message),
                           file.failure.type == "limit"
                               ? "raise the limit if the file is to be trusted; nothing was changed"
                               : fmt::format("the file is damaged or is no {}; nothing was changed",
                                             column_.type)));
  }

  void leave_out(const std::string& given, const std::string& why) {
    context_.main.exec_params(
        fmt::format("DELETE FROM {} WHERE {} = $1", staged_.stage_name, column_.physical), {given});
    const std::string label = label_of(given);
    const bool named = why.find(label) != std::string::npos;
    sink_.notice(named ? "left out: " + why : fmt::format("left out: {}: {}", label, why));
  }

  // What was stored gets its name into the cells; what was kept, into the records.
  void keep(std::vector<Taken> batch) {
    std::vector<Taken> stored;
    std::vector<ReferenceRecord> kept;
    for (Taken& taken : batch) {
      if (taken.ingested.cached) {
        kept.push_back(record_of(taken));
      } else {
        stored.push_back(std::move(taken));
      }
    }
    count_changes(kept);
    record_references(context_, staged_.operation, kept);
    if (!stored.empty()) keep_stored(context_, column_, staged_.stage_name, stored);
  }

  void count_changes(const std::vector<ReferenceRecord>& kept) {
    std::vector<std::string> urls;
    for (const ReferenceRecord& record : kept) urls.push_back(record.url);
    const auto known = recorded_references(context_, urls);
    for (const ReferenceRecord& record : kept) {
      const auto before = known.find(record.url);
      if (before == known.end() || !before->second.name) continue;
      if (before->second.name->sha256_hex == record.name->sha256_hex) continue;
      if (changed_++ == 0) first_changed_ = printable_url(record.url);
    }
  }

  void tell_of_changes() {
    if (changed_ == 0) return;
    sink_.notice(
        changed_ == 1
            ? fmt::format("{} has changed since it was recorded: its new content counts for every "
                          "cell that holds it",
                          first_changed_)
            : fmt::format("{} references have changed since they were recorded, among them {}: "
                          "their new content counts for every cell that holds them",
                          changed_, first_changed_));
  }

  static ReferenceRecord record_of(const Taken& taken) {
    const CachedObject& content = *taken.ingested.cached;
    ReferenceRecord record;
    record.url = taken.given;
    record.name = content.name;
    record.kind = kind_name(taken.ingested.type.kind);
    record.mime = taken.ingested.type.mime;
    record.size_bytes = content.size_bytes;
    record.etag = content.etag;
    record.facts = taken.facts;
    return record;
  }

  void advance(std::size_t count) {
    progress_.done += count;
    sink_.progress(progress_);
  }

  EngineContext& context_;
  const StagedMedia& staged_;
  const ColumnInfo& column_;
  ResultSink& sink_;
  const bool keeps_;
  const bool checks_;
  const MediaIngest ingest_;
  Progress progress_;
  std::size_t changed_ = 0;  // references whose content is another one than recorded
  std::string first_changed_;
};

}  // namespace

void take_staged_media(EngineContext& context, const StagedMedia& staged, ResultSink& sink) {
  MediaTaker(context, staged, sink).run();
}

}  // namespace coppice::engine
