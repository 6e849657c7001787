// The order of backups when clocks jump.
#include <gtest/gtest.h>

#include "recovery/choose.h"
#include "recovery/open_repository.h"

namespace coppice::recovery {
namespace {

KnownBackup backup_of(const std::string& home, std::uint64_t sequence, const std::string& moment) {
  KnownBackup backup;
  backup.manifest.home_id = home;
  backup.manifest.sequence = sequence;
  backup.manifest.moment = moment;
  backup.manifest.tags = {home + std::to_string(sequence)};
  backup.id.bytes[0] = static_cast<std::uint8_t>(moment.back() + 16 * sequence);
  return backup;
}

std::vector<std::string> order_of(std::vector<KnownBackup> backups) {
  sort_by_time(backups);
  std::vector<std::string> names;
  for (const KnownBackup& backup : backups) names.push_back(backup.manifest.tags[0]);
  return names;
}

using Names = std::vector<std::string>;

TEST(BackupOrder, FollowsTheClockWhereItIsRight) {
  EXPECT_EQ(order_of({backup_of("a", 1, "2026-01-03"), backup_of("b", 0, "2026-01-02"),
                      backup_of("a", 0, "2026-01-01")}),
            (Names{"a0", "b0", "a1"}));
}

TEST(BackupOrder, LaterBackupsOfAHomeStayLaterWhenItsClockJumpsBack) {
  const std::vector<KnownBackup> backups = {
      backup_of("a", 0, "2031-01-01"), backup_of("a", 2, "2026-01-04"),
      backup_of("b", 0, "2026-01-03"), backup_of("a", 1, "2026-01-02")};
  EXPECT_EQ(order_of(backups), (Names{"a0", "a1", "b0", "a2"}));
}

TEST(BackupOrder, TheLatestIsTheLastThatWasMade) {
  std::vector<KnownBackup> backups = {backup_of("a", 1, "2026-01-02 10:00:00+00"),
                                      backup_of("a", 0, "2026-01-02 11:00:00+00")};
  sort_by_time(backups);
  EXPECT_EQ(chosen_backup(backups, std::nullopt, std::nullopt).manifest.sequence, 1U);
  EXPECT_EQ(chosen_backup(backups, std::nullopt, "2026-01-02 10:30Z").manifest.sequence, 1U);
}

}  // namespace
}  // namespace coppice::recovery
