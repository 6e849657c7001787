#include "engine/references.h"

#include <fmt/core.h>

#include "base/sha256.h"
#include "base/text.h"
#include "config/config.h"
#include "engine/compute.h"
#include "pg/row_stream.h"
#include "pg/transaction.h"

namespace coppice::engine {
namespace {

constexpr std::size_t kUrlsPerDelete = 10'000;

std::string key_of(const std::string& url) { return to_hex(sha256(url)); }

exec::TextCell or_null(const std::string& text) {
  return text.empty() ? exec::TextCell() : exec::TextCell(text);
}

std::optional<std::string> id_text(const catalog::Operation* operation,
                                   std::int64_t catalog::Operation::*id) {
  if (operation == nullptr) return std::nullopt;
  return std::to_string(operation->*id);
}

void forget_urls(EngineContext& context, const exec::TextColumn& keys, std::int64_t before_us) {
  context.main.exec_params(
      "DELETE FROM coppice.media_references WHERE url_sha256 = ANY ($1::text[]) "
      "AND checked_at < to_timestamp($2::float8 / 1e6)",
      {text_array(keys), std::to_string(before_us)});
}

}  // namespace

bool keeps_references(const EngineContext& context, const catalog::ColumnInfo& column) {
  if (!column.media_kind() || column.computed()) return false;
  if (column.references != "auto") return column.references == "keep";
  return context.config.text("media.references") == "keep";
}

std::unordered_map<std::string, ReferenceRecord> recorded_references(
    EngineContext& context, const std::vector<std::string>& urls) {
  std::unordered_map<std::string, ReferenceRecord> records;
  if (urls.empty()) return records;
  context.wait_for_storing();
  exec::TextColumn keys;
  for (const std::string& url : urls) keys.emplace_back(key_of(url));
  const pg::Result rows = context.main.exec_params(
      "SELECT url, name, coalesce(kind, ''), coalesce(mime, ''), coalesce(size_bytes, 0), "
      "coalesce(etag, ''), to_char(checked_at, 'YYYY-MM-DD HH24:MI TZ') "
      "FROM coppice.recorded_references($1::text[], $2::bigint, $3::bigint)",
      {text_array(keys), id_text(context.writing, &catalog::Operation::tree_id),
       id_text(context.writing, &catalog::Operation::op_id)});
  for (int row = 0; row < rows.rows(); ++row) {
    ReferenceRecord record;
    record.url = rows.text(row, 0);
    if (const auto name = rows.value(row, 1)) record.name = MediaName::parse(*name);
    record.kind = rows.text(row, 2);
    record.mime = rows.text(row, 3);
    record.size_bytes = static_cast<std::uintmax_t>(rows.integer(row, 4));
    record.etag = rows.text(row, 5);
    record.checked_at = rows.text(row, 6);
    records.emplace(record.url, std::move(record));
  }
  return records;
}

void record_references(EngineContext& context, const catalog::Operation& operation,
                       const std::vector<ReferenceRecord>& records) {
  if (records.empty()) return;
  context.wait_for_storing();
  exec::TextColumn keys, urls, names, kinds, mimes, sizes, etags, facts;
  for (const ReferenceRecord& record : records) {
    keys.emplace_back(key_of(record.url));
    urls.emplace_back(record.url);
    names.push_back(record.name ? exec::TextCell(record.name->text()) : exec::TextCell());
    kinds.push_back(or_null(record.kind));
    mimes.push_back(or_null(record.mime));
    sizes.push_back(record.name ? exec::TextCell(std::to_string(record.size_bytes))
                                : exec::TextCell());
    etags.push_back(or_null(record.etag));
    facts.push_back(or_null(record.facts));
  }
  context.main.exec_params(
      "INSERT INTO coppice.media_references "
      "(tree_id, op_id, url_sha256, url, name, kind, mime, size_bytes, etag, facts) "
      "SELECT DISTINCT ON (id) $1::bigint, $2::bigint, id, u, n, k, m, s::bigint, e, f::jsonb "
      "FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], "
      "$9::text[], $10::text[]) AS v(id, u, n, k, m, s, e, f) "
      "ON CONFLICT (url_sha256, tree_id, op_id) DO UPDATE SET name = excluded.name, "
      "kind = excluded.kind, mime = excluded.mime, size_bytes = excluded.size_bytes, "
      "etag = excluded.etag, facts = excluded.facts, checked_at = excluded.checked_at",
      {std::to_string(operation.tree_id), std::to_string(operation.op_id), text_array(keys),
       text_array(urls), text_array(names), text_array(kinds), text_array(mimes), text_array(sizes),
       text_array(etags), text_array(facts)});
}

void record_unread(EngineContext& context, const catalog::Operation& operation,
                   const std::vector<std::string>& urls) {
  std::vector<ReferenceRecord> unread;
  for (const auto& [url, record] : recorded_references(context, urls)) {
    if (!record.name) continue;
    unread.emplace_back();
    unread.back().url = url;
  }
  record_references(context, operation, unread);
}

void bring_back_references(EngineContext& context, const catalog::Operation& operation,
                           const catalog::TableInfo& table, std::int64_t version,
                           const std::string& from) {
  std::vector<std::string> queries;
  for (const catalog::ColumnInfo* column : table.visible_columns()) {
    if (!column->media_kind()) continue;
    queries.push_back(fmt::format("SELECT {}::text FROM {}", column->physical, from));
  }
  if (queries.empty()) return;
  context.main.exec_params(
      fmt::format(
          "INSERT INTO coppice.media_references (tree_id, op_id, url_sha256, url, name, kind, "
          "mime, size_bytes, etag, facts, checked_at) "
          "SELECT $1::bigint, $2::bigint, was.url_sha256, was.url, was.name, was.kind, was.mime, "
          "was.size_bytes, was.etag, was.facts, was.checked_at "
          "FROM (SELECT array_agg(DISTINCT encode(sha256(convert_to(u.url, 'UTF8')), 'hex')) AS "
          "keys FROM ({}) AS u(url) WHERE u.url ~* '^https?://') AS held "
          "CROSS JOIN LATERAL coppice.recorded_references(held.keys, NULL, NULL, "
          "(SELECT published_at FROM coppice.versions WHERE tree_id = $1::bigint "
          "AND version = $3::bigint)) AS was "
          "JOIN LATERAL coppice.recorded_references(held.keys, NULL, NULL) AS present "
          "ON present.url_sha256 = was.url_sha256 "
          "WHERE was.name IS DISTINCT FROM present.name "
          "ON CONFLICT (url_sha256, tree_id, op_id) DO UPDATE SET name = excluded.name, "
          "kind = excluded.kind, mime = excluded.mime, size_bytes = excluded.size_bytes, "
          "etag = excluded.etag, facts = excluded.facts, checked_at = excluded.checked_at",
          join(queries, " UNION ALL ")),
      {std::to_string(operation.tree_id), std::to_string(operation.op_id),
       std::to_string(version)});
}

void forget_references(EngineContext& context, const std::unordered_set<std::string>& held,
                       std::int64_t before_us) {
  context.main.exec(
      "DELETE FROM coppice.media_references r USING coppice.operations o "
      "WHERE o.tree_id = r.tree_id AND o.op_id = r.op_id "
      "AND o.state IN ('empty', 'failed', 'conflict', 'discarded')");
  // The same content again, and nothing else in between.
  context.main.exec(
      "DELETE FROM coppice.media_references r USING ("
      "SELECT r.url_sha256, r.tree_id, r.op_id, r.name, lag(r.name) OVER earlier AS before, "
      "row_number() OVER earlier AS number FROM coppice.media_references r "
      "JOIN coppice.operations o USING (tree_id, op_id) WHERE o.state = 'published' "
      "WINDOW earlier AS (PARTITION BY r.url_sha256 ORDER BY o.ended_at, r.tree_id DESC, r.op_id)) "
      "s "
      "WHERE s.number > 1 AND s.name IS NOT DISTINCT FROM s.before "
      "AND (r.url_sha256, r.tree_id, r.op_id) = (s.url_sha256, s.tree_id, s.op_id)");
  exec::TextColumn unheld;
  {
    pg::RowStream urls(context.main,
                       "SELECT DISTINCT url_sha256, url FROM coppice.media_references");
    while (urls.next()) {
      if (!held.contains(std::string(*urls.row()[1]))) unheld.emplace_back(*urls.row()[0]);
    }
  }
  for (std::size_t begin = 0; begin < unheld.size(); begin += kUrlsPerDelete) {
    const auto from = unheld.begin() + static_cast<std::ptrdiff_t>(begin);
    const std::size_t count = std::min(kUrlsPerDelete, unheld.size() - begin);
    forget_urls(context, {from, from + static_cast<std::ptrdiff_t>(count)}, before_us);
  }
}

}  // namespace coppice::engine
