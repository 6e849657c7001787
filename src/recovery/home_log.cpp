#include "recovery/home_log.h"

#include <fmt/core.h>

#include <filesystem>

#include "base/text.h"
#include "base/wall_time.h"
#include "config/home.h"
#include "config/settings.h"
#include "engine/open_home.h"

namespace coppice::recovery {

std::string printable_address(const RepositoryAddress& address) {
  if (address.url.find("://") != std::string::npos) return mask_password(address.url);
  return std::filesystem::absolute(address.url).lexically_normal().string();
}

void note_backup(pg::Connection& connection, const RepositoryAddress& address,
                 const BackupReport& report, const std::string& moment) {
  connection.exec_params(
      "INSERT INTO coppice.backups VALUES ($1, $2::timestamptz, "
      "to_timestamp($3::float8 / 1e6), $4, $5, $6::float8, $7::bigint, $8::bigint, $9) "
      "ON CONFLICT DO NOTHING",
      {report.id, moment, std::to_string(wall_time_us()), printable_address(address), report.root,
       std::to_string(report.seconds), std::to_string(report.bytes_written),
       std::to_string(report.damaged.size()), join(report.suspect, "; ")});
  // Not by the latest of all: it may be of a clock that was wrong.
  connection.exec_params(
      "DELETE FROM coppice.backups WHERE backup_id <> $1 "
      "AND ended_at < to_timestamp($2::float8 / 1e6) - interval '400 days'",
      {report.id, std::to_string(wall_time_us())});
}

void note_drill(const Config& config, const NotedDrill& drill, const DrillReport& report) {
  if (!home_format(config.home())) return;
  const auto context = engine::open_home(config);
  const auto total =
      report.failure ? std::nullopt : std::optional(fmt::format("{}", report.restore.times.total));
  context->main.exec_params(
      "INSERT INTO coppice.drills SELECT $1, to_timestamp($2::float8 / 1e6), "
      "to_timestamp($3::float8 / 1e6), $4, $5, $6::boolean, $7::float8, $8::float8, $9 "
      "FROM coppice.meta WHERE key = 'home_id' AND value = $10 ON CONFLICT DO NOTHING",
      {report.id, std::to_string(drill.began_us), std::to_string(drill.ended_us), drill.repository,
       report.restore.backup, report.passed() ? "t" : "f", total,
       fmt::format("{}", report.rpo_seconds), report.json, drill.home_id});
}

void note_confirmation(const Config& config, const std::string& backup, const std::string& by,
                       const std::string& note) {
  if (!home_format(config.home())) return;
  const auto context = engine::open_home(config);
  context->main.exec_params(
      "UPDATE coppice.backups SET confirmed_at = to_timestamp($2::float8 / 1e6), "
      "confirmed_by = $3, note = $4 WHERE backup_id = $1 AND suspect <> '' "
      "AND confirmed_at IS NULL",
      {backup, std::to_string(wall_time_us()), by, note});
}

}  // namespace coppice::recovery
