#include "recovery/home_log.h"

#include <fmt/core.h>

#include <filesystem>

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
      "to_timestamp($3::float8 / 1e6), $4, $5, $6::float8, $7::bigint, $8::bigint) "
      "ON CONFLICT DO NOTHING",
      {report.id, moment, std::to_string(wall_time_us()), printable_address(address), report.root,
       std::to_string(report.seconds), std::to_string(report.bytes_written),
       std::to_string(report.damaged.size())});
  connection.exec(
      "DELETE FROM coppice.backups WHERE ended_at < "
      "(SELECT max(ended_at) FROM coppice.backups) - interval '400 days'");
}

}  // namespace coppice::recovery
