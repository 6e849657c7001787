// Lines, runs and what is merged of them; trees and media of a backup.
#include "backup/runs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "backup/media_map.h"
#include "repo/commit.h"
#include "repo/repo_fixture.h"

namespace coppice {
namespace {

using repo::BlobId;

struct Lines {
  repo::TestRepository place;
  repo::BlobWriter writer{place.repository, repo::begin_backup(place.repository)};

  std::vector<BlobId> write(const std::vector<std::string>& lines, Cut cut = Cut::kBySize) {
    LineWriter out(writer, cut);
    for (const std::string& line : lines) out.add(line);
    return out.finish();
  }
  std::vector<std::string> read(const std::vector<BlobId>& blobs) {
    writer.flush();
    LineReader in(place.repository, blobs);
    std::vector<std::string> lines;
    while (const auto line = in.next()) lines.emplace_back(*line);
    return lines;
  }
  Run run(RunKind kind, std::vector<std::string> columns, const std::vector<std::string>& lines) {
    Run run;
    run.kind = kind;
    run.columns = std::move(columns);
    run.rows = lines.size();
    run.parts = write_parts(write(lines), writer);
    return run;
  }
  std::vector<std::string> merged(const TableRuns& table, std::size_t run,
                                  const MergeRequest& request) {
    writer.flush();
    std::vector<std::string> lines;
    merge_run(place.repository, table, run, request,
              [&](std::string_view line) { lines.emplace_back(line); });
    return lines;
  }
};

const std::string kNow(catalog::kCurrentText);

TEST(BackupLines, ComeBackWhateverTheirSize) {
  Lines place;
  const std::vector<std::string> lines = {"1\ta\n", "2\t" + std::string(9 << 20, 'x') + "\n",
                                          "3\t" + std::string(40 << 20, 'y') + "\n", "4\t\\N\n"};
  EXPECT_EQ(place.read(place.write(lines)), lines);
  EXPECT_TRUE(place.read(place.write({})).empty());
}

TEST(BackupLines, OneThatDoesNotEndIsDamage) {
  Lines place;
  const BlobId blob = place.writer.add("1\ta\n2\tb");
  const Error error = repo::thrown_by([&] { place.read({blob}); });
  EXPECT_EQ(error.code(), ErrorCode::kIntegrity);
}

TEST(BackupLines, OneLineMoreChangesOneBlob) {
  Lines place;
  std::vector<std::string> lines;
  for (int i = 0; i < 20'000; ++i) lines.push_back(std::to_string(i) + "\tk\tvalue\n");
  const std::vector<BlobId> before = place.write(lines, Cut::kByKeys);
  EXPECT_GT(before.size(), 3U);
  lines.insert(lines.begin() + 10'000, "x\tk\tnew\n");
  const std::vector<BlobId> after = place.write(lines, Cut::kByKeys);
  const std::set<BlobId> known(before.begin(), before.end());
  const auto fresh = std::count_if(after.begin(), after.end(),
                                   [&](const BlobId& id) { return !known.contains(id); });
  EXPECT_LE(fresh, 2);
  EXPECT_GE(fresh, 1);
}

TEST(BackupRuns, LaterRunsSayMoreOfEarlierOnes) {
  Lines place;
  TableRuns table;
  table.runs.push_back(place.run(RunKind::kRows, {"c1", "c2"},
                                 {"1\t1\t" + kNow + "\ta\t\\N\n", "1\t2\t" + kNow + "\tb\tx\n",
                                  "2\t3\t" + kNow + "\tc\ty\n"}));
  table.runs.push_back(place.run(RunKind::kCells, {"c9"}, {"1\t1\tnine\n", "2\t3\tthree\n"}));
  table.runs.push_back(place.run(RunKind::kClosed, {}, {"1\t2\t7\n"}));
  table.runs.push_back(
      place.run(RunKind::kRows, {"c1", "c2", "c9"}, {"7\t2\t" + kNow + "\tB\tx\tninety\n"}));
  const std::vector<std::string> all = {"c1", "c2", "c9"};
  EXPECT_EQ(merged_columns(table, 0, {all, nullptr}), all);
  const std::vector<std::string> first = {"1\t1\t" + kNow + "\ta\t\\N\tnine\n",
                                          "1\t2\t7\tb\tx\t\\N\n",
                                          "2\t3\t" + kNow + "\tc\ty\tthree\n"};
  EXPECT_EQ(place.merged(table, 0, {all, nullptr}), first);
  const std::vector<std::string> last = {"7\t2\t" + kNow + "\tB\tx\tninety\n"};
  EXPECT_EQ(place.merged(table, 3, {all, nullptr}), last);
}

TEST(BackupRuns, OnlyColumnsThatAreWanted) {
  Lines place;
  TableRuns table;
  table.runs.push_back(
      place.run(RunKind::kRows, {"c1", "c2"}, {"1\t1\t" + kNow + "\tgone\tkept\n"}));
  const MergeRequest request{{"c2", "c5"}, nullptr};
  EXPECT_EQ(merged_columns(table, 0, request), std::vector<std::string>{"c2"});
  EXPECT_EQ(place.merged(table, 0, request),
            std::vector<std::string>{"1\t1\t" + kNow + "\tkept\n"});
}

TEST(BackupRuns, WhatWentBeforeTheFloorIsLeftOut) {
  Lines place;
  TableRuns table;
  table.runs.push_back(
      place.run(RunKind::kRows, {"c1"},
                {"1\t1\t3\ta\n", "1\t2\t4\tb\n", "1\t3\t5\tc\n", "1\t4\t" + kNow + "\td\n"}));
  catalog::VersionInfo floor;
  floor.high_op = 4;
  floor.open_ops = {4};  // not published at the floor
  const std::vector<std::string> kept = {"1\t2\t4\tb\n", "1\t3\t5\tc\n", "1\t4\t" + kNow + "\td\n"};
  EXPECT_EQ(place.merged(table, 0, {{"c1"}, &floor}), kept);
}

TEST(BackupRuns, ATableComesBack) {
  Lines place;
  TableRuns table;
  table.point.version = 9;
  table.point.high_op = 40;
  table.point.open_ops = {12, 13};
  table.runs.push_back(place.run(RunKind::kRows, {"c1"}, {"1\t1\t" + kNow + "\ta\n"}));
  table.runs.back().has_parent = true;
  table.runs.push_back(place.run(RunKind::kClosed, {}, {"1\t1\t8\n"}));
  const BlobId tree = write_table(table, place.writer);
  place.writer.flush();
  const TableRuns back = read_table(place.place.repository, tree);
  EXPECT_EQ(back.point.high_op, 40);
  EXPECT_EQ(back.point.open_ops, table.point.open_ops);
  ASSERT_EQ(back.runs.size(), 2U);
  EXPECT_TRUE(back.runs[0].has_parent);
  EXPECT_EQ(back.runs[1].kind, RunKind::kClosed);
  EXPECT_EQ(back.rows(), 1U);
  EXPECT_EQ(back.closed(), 1U);
}

TEST(BackupMedia, NamesAreFoundInFields) {
  const std::string digits(64, 'a');
  std::vector<std::string> names;
  const auto visit = [&](std::string_view name) { names.emplace_back(name); };
  for_each_media_name("media:" + digits + ".jpg", visit);
  for_each_media_name("frame:" + digits + ".mp4@12800", visit);
  for_each_media_name("{media:" + digits + ".png,NULL,media:" + digits + ".gif}", visit);
  for_each_media_name("media:" + digits, visit);
  for_each_media_name("media:" + std::string(63, 'a') + "g.jpg", visit);
  for_each_media_name("http://example.org/media:.jpg", visit);
  EXPECT_EQ(names, (std::vector<std::string>{digits + ".jpg", digits + ".mp4", digits + ".png",
                                             digits + ".gif"}));
}

TEST(BackupMedia, PartsThatDoNotChangeKeepTheirTrees) {
  Lines place;
  const std::string one = "aa" + std::string(62, '0') + ".jpg";
  const std::string two = "bb" + std::string(62, '0') + ".jpg";
  MediaMap first(place.place.repository, {});
  first.add(one, {3, {place.writer.add("one")}});
  first.add(two, {3, {place.writer.add("two")}});
  const MediaTrees before = first.write(place.writer);
  place.writer.flush();
  MediaMap second(place.place.repository, before);
  EXPECT_TRUE(second.has(one));
  const std::string three = "bb" + std::string(62, '1') + ".jpg";
  EXPECT_FALSE(second.has(three));
  second.add(three, {5, {place.writer.add("three")}});
  const MediaTrees after = second.write(place.writer);
  EXPECT_EQ(after.at("aa"), before.at("aa"));
  EXPECT_NE(after.at("bb"), before.at("bb"));
  place.writer.flush();
  MediaMap third(place.place.repository, after);
  third.keep_only({three});
  EXPECT_EQ(third.totals(), (std::pair<std::uint64_t, std::uint64_t>{1, 5}));
  EXPECT_EQ(third.write(place.writer).count("aa"), 0U);
}

}  // namespace
}  // namespace coppice
