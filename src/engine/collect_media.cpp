// collect_media of media_verbs.h: mark and sweep over the media store.
#include <fmt/core.h>

#include <cstdlib>
#include <unordered_set>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/text.h"
#include "engine/collect_code.h"
#include "engine/compute.h"
#include "engine/emit.h"
#include "engine/media_verbs.h"
#include "engine/references.h"
#include "media/frame_name.h"
#include "pg/row_stream.h"

namespace coppice::engine {
namespace {

constexpr std::int64_t kGraceSeconds = 3600;
constexpr std::size_t kNamesPerDelete = 10'000;

std::int64_t grace_seconds() {
  const char* grace = test_hooks_enabled() ? std::getenv("COPPICE_MEDIA_GRACE_S") : nullptr;
  return grace == nullptr ? kGraceSeconds : std::strtoll(grace, nullptr, 10);
}

struct Candidate {
  MediaName name;
  std::uintmax_t size_bytes = 0;
};

// What is old enough to go. Listed before marking: what is stored later is not among it.
std::vector<Candidate> old_objects(const MediaStore& store, std::int64_t before_us) {
  std::vector<Candidate> old;
  store.for_each([&](const MediaName& name, std::uintmax_t size_bytes, std::int64_t changed_us) {
    if (changed_us < before_us) old.push_back({name, size_bytes});
  });
  return old;
}

// Every media column of the store, staging tables and columns that only old versions have included,
// and what durable results name.
std::vector<std::string> marking_queries(EngineContext& context) {
  const pg::Result columns = context.main.exec(
      "SELECT format('coppice_store.%I', c.relname), quote_ident(a.attname), t.typtype = 'd' "
      "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
      "JOIN pg_type t ON t.oid = a.atttypid "
      "WHERE c.relnamespace = 'coppice_store'::regnamespace AND c.relkind = 'r' "
      "AND a.attnum > 0 AND NOT a.attisdropped AND t.typnamespace = 'coppice'::regnamespace");
  std::vector<std::string> queries = {
      "SELECT DISTINCT media FROM coppice.results WHERE media IS NOT NULL"};
  for (int row = 0; row < columns.rows(); ++row) {
    queries.push_back(
        columns.boolean(row, 2)
            ? fmt::format("SELECT DISTINCT {0}::text FROM {1} WHERE {0} IS NOT NULL",
                          columns.text(row, 1), columns.text(row, 0))
            : fmt::format("SELECT DISTINCT unnest({0})::text FROM {1} WHERE {0} IS NOT NULL",
                          columns.text(row, 1), columns.text(row, 0)));
  }
  return queries;
}

std::unordered_set<std::string> marked_names(EngineContext& context) {
  std::unordered_set<std::string> marked;
  for (const std::string& query : marking_queries(context)) {
    context.check_stop();
    try {
      pg::RowStream stream(context.main, query);
      while (stream.next()) {
        const auto value = stream.row()[0];
        if (!value) continue;
        // A frame that is not stored needs its video.
        const auto frame = FrameName::parse(*value);
        marked.emplace(frame ? frame->video.text() : std::string(*value));
      }
    } catch (const pg::ServerError& error) {
      // A staging table whose operation ended meanwhile; its rows are in the store now, which is
      // read again.
      if (error.sqlstate() != "42P01") throw;
      return marked_names(context);
    }
  }
  return marked;
}

void forget_names(EngineContext& context, const std::vector<std::string>& names) {
  for (std::size_t begin = 0; begin < names.size(); begin += kNamesPerDelete) {
    exec::TextColumn batch;
    for (std::size_t i = begin; i < std::min(names.size(), begin + kNamesPerDelete); ++i) {
      batch.emplace_back(names[i]);
    }
    context.main.exec_params("DELETE FROM coppice.media WHERE name = ANY ($1::text[])",
                             {text_array(batch)});
  }
}

void list(const std::vector<Candidate>& unused, const std::vector<UnusedCode>& code,
          ResultSink& sink) {
  RowsOut rows(sink, {{"object", "text"}, {"size_bytes", "bigint"}});
  for (const Candidate& candidate : unused) {
    rows.row({candidate.name.text(), std::to_string(candidate.size_bytes)});
  }
  for (const UnusedCode& copy : code) {
    rows.row({"functions/" + copy.digest, std::to_string(copy.size_bytes)});
  }
  rows.end();
}

}  // namespace

void collect_media(EngineContext& context, bool dry_run, ResultSink& sink) {
  const std::int64_t grace_us = grace_seconds() * 1'000'000;
  const std::int64_t before_us = SystemClock().now_us() - grace_us;
  std::vector<Candidate> unused = old_objects(context.media, before_us);
  const std::unordered_set<std::string> marked = marked_names(context);
  std::erase_if(unused,
                [&](const Candidate& object) { return marked.contains(object.name.text()); });
  const std::vector<UnusedCode> code = unused_code(context, before_us);
  if (dry_run) return list(unused, code, sink);
  std::vector<std::string> removed;
  std::uintmax_t freed_bytes = 0;
  std::size_t copies = 0;
  Progress progress{"removing unused media", 0, unused.size()};
  for (const Candidate& object : unused) {
    if (context.stop.stop_requested()) break;
    if (context.media.remove_if_older(object.name, before_us)) {
      removed.push_back(object.name.text());
      freed_bytes += object.size_bytes;
    }
    ++progress.done;
    sink.progress(progress);
  }
  forget_names(context, removed);
  forget_references(context, marked, before_us);
  context.media.sweep_incoming(grace_us);
  for (const UnusedCode& copy : code) {
    if (context.stop.stop_requested()) break;
    if (!remove_code(context, copy, before_us)) continue;
    ++copies;
    freed_bytes += copy.size_bytes;
  }
  RowsOut rows(sink, {{"objects", "bigint"}, {"code_copies", "bigint"}, {"size_bytes", "bigint"}});
  rows.row({std::to_string(removed.size()), std::to_string(copies), std::to_string(freed_bytes)});
  rows.end();
  context.check_stop();
}

}  // namespace coppice::engine
