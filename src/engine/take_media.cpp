#include "engine/take_media.h"

#include <fmt/core.h>

#include <map>

#include "base/text.h"
#include "config/config.h"
#include "engine/compute.h"
#include "media/ingest.h"
#include "pg/transaction.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;

constexpr std::size_t kFilesPerBatch = 256;

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
  std::string message;
};

[[noreturn]] void refuse(const ColumnInfo& column, const BadFile& file) {
  throw Error(ErrorCode::kInvalidInput,
              fmt::format("{} cannot be taken into column \"{}\": {}", file.given, column.name,
                          file.message),
              fmt::format("the file is damaged or is no {}; nothing was changed", column.type));
}

void leave_out(EngineContext& context, const ColumnInfo& column, const std::string& stage_name,
               const std::string& given, const std::string& why, ResultSink& sink) {
  context.main.exec_params(fmt::format("DELETE FROM {} WHERE {} = $1", stage_name, column.physical),
                           {given});
  const bool named = why.find(given) != std::string::npos;
  sink.notice(named ? "left out: " + why : fmt::format("left out: {}: {}", given, why));
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
      bad.push_back({batch[i].given, failure->message});
      continue;
    }
    batch[i].facts = std::get<Value>(results[0][i]).text;
    good.push_back(std::move(batch[i]));
  }
  batch = std::move(good);
  return bad;
}

void keep(EngineContext& context, const ColumnInfo& column, const std::string& stage_name,
          const std::vector<Taken>& batch) {
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

}  // namespace

void take_staged_media(EngineContext& context, const TableInfo& table, const ColumnInfo& column,
                       const std::string& stage_name, bool skip_bad, ResultSink& sink) {
  const bool check = context.config.text("media.validate") == "write";
  const MediaIngest ingest(context.media, context.url_cache(),
                           {std::filesystem::current_path(), UrlPolicy::kTakeIn, true}, {});
  // Names of objects that are known already need no second look.
  const pg::Result waiting = context.main.exec(
      fmt::format("SELECT DISTINCT s.{0} FROM {1} s LEFT JOIN coppice.media m ON m.name = s.{0} "
                  "WHERE s.{0} IS NOT NULL AND (m.name IS NULL OR m.kind <> '{2}')",
                  column.physical, stage_name, catalog::media_kind_name(*column.media_kind())));
  Progress progress{fmt::format("taking media into {}.{}", table.user_name(), column.name), 0,
                    static_cast<std::uint64_t>(waiting.rows())};
  std::vector<Taken> batch;
  for (int row = 0; row < waiting.rows(); ++row) {
    context.check_stop();
    const std::string given(waiting.text(row, 0));
    try {
      batch.push_back(
          {given, ingest.take(given, kind_of(column), column.name, context.stop.get_token()), {}});
    } catch (const Error& error) {
      if (!skip_bad || error.code() == ErrorCode::kDiskFull ||
          error.code() == ErrorCode::kInterrupted) {
        throw;
      }
      leave_out(context, column, stage_name, given, error.message(), sink);
    }
    if (batch.size() < kFilesPerBatch && row + 1 < waiting.rows()) continue;
    if (check) {
      const std::vector<BadFile> bad = validate(context, column, batch);
      if (!bad.empty() && !skip_bad) refuse(column, bad.front());
      for (const BadFile& file : bad) {
        leave_out(context, column, stage_name, file.given, file.message, sink);
      }
    }
    keep(context, column, stage_name, batch);
    progress.done += batch.size();
    sink.progress(progress);
    batch.clear();
  }
}

}  // namespace coppice::engine
