// Snapshots, retention and prune on a real server.
#include "engine/table_options.h"
#include "engine/versions_fixture.h"

namespace coppice::engine {
namespace {

TEST_F(Versions, SnapshotsAreVersionsByName) {
  home_.run("CREATE TABLE t (id int PRIMARY KEY, n int)");
  home_.run("INSERT INTO t VALUES (1, 1)");
  snapshot("nightly");
  home_.run("UPDATE t SET n = 2; ALTER TABLE t RENAME TO other; ALTER TABLE other RENAME TO t");
  EXPECT_EQ(home_.ask("SELECT n FROM \"t:nightly\""), Rows{"1"});
  EXPECT_EQ(diff("nightly", "current"), Rows{"update|id = 1|n|1|2"});
  EXPECT_EQ(revert("nightly"), "REVERT 1 version 5");
  const Rows listed = home_
                          .collect([](EngineContext& context, ResultSink& sink) {
                            list_snapshots(context, std::nullopt, sink);
                          })
                          .rows;
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_TRUE(listed[0].starts_with("public.t|nightly|1|")) << listed[0];
  failure([&] { snapshot("nightly"); }, ErrorCode::kAlreadyExists);
  failure([&] { snapshot("7th"); }, ErrorCode::kUsage);
  failure([&] { snapshot("current"); }, ErrorCode::kUsage);
  EXPECT_NE(failure([&] { drop("nightl"); }, ErrorCode::kNotFound).find("\"nightly\""),
            std::string::npos);
  EXPECT_NE(failure([&] { revert("nonsense"); }, ErrorCode::kNotFound).find("snapshot"),
            std::string::npos);
  drop("nightly");
  failure([&] { home_.ask("SELECT n FROM \"t:nightly\""); }, ErrorCode::kNotFound);
}

TEST_F(Versions, PruneKeepsWhatIsAskedForAndWhatSnapshotsNeed) {
  home_.run("CREATE TABLE t (id int PRIMARY KEY, n int)");
  home_.run("INSERT INTO t VALUES (1, 1), (2, 0)");
  snapshot("first");
  for (int n = 2; n <= 4; ++n) home_.run(fmt::format("UPDATE t SET n = {} WHERE id = 1", n));
  EXPECT_EQ(stored_rows(), 5);
  const Collector held = prune("1");
  EXPECT_TRUE(held.rows[0].starts_with("1|1|0|0|")) << held.rows[0];
  ASSERT_EQ(held.notices.size(), 1U);
  EXPECT_NE(held.notices[0].find("snapshot first"), std::string::npos);
  EXPECT_EQ(home_.ask("SELECT n FROM \"t:1\" ORDER BY id"), (Rows{"1", "0"}));
  drop("first");
  const Collector planned = prune("2", true);
  EXPECT_TRUE(planned.rows[0].starts_with("3|2|2|")) << planned.rows[0];
  EXPECT_EQ(stored_rows(), 5);
  const Collector done = prune("2");
  EXPECT_EQ(done.rows, planned.rows);
  EXPECT_EQ(done.tags, Rows{"PRUNE 2"});
  EXPECT_EQ(stored_rows(), 3);
  EXPECT_EQ(home_.ask("SELECT n FROM \"t:3\" ORDER BY id"), (Rows{"3", "0"}));
  EXPECT_EQ(home_.ask("SELECT n FROM t ORDER BY id"), (Rows{"4", "0"}));
  const std::string told =
      failure([&] { home_.ask("SELECT n FROM \"t:1\""); }, ErrorCode::kNotFound);
  EXPECT_NE(told.find("earliest version is 3"), std::string::npos) << told;
  failure([&] { revert("2"); }, ErrorCode::kNotFound);
  failure([&] { diff("0", "4"); }, ErrorCode::kNotFound);
  // No version was taken, and there is nothing left to do.
  EXPECT_TRUE(prune("2").rows[0].starts_with("3|0|0|0|"));
  EXPECT_EQ(home_.run("UPDATE t SET n = 5 WHERE id = 1"), "UPDATE 1 version 5");
  EXPECT_EQ(revert("3"), "REVERT 1 version 6");
}

TEST_F(Versions, PruneFollowsRetentionAndItsTexts) {
  home_.run("CREATE TABLE t (id int)");
  home_.run("INSERT INTO t VALUES (1)");
  home_.run("DELETE FROM t");
  EXPECT_NE(failure([&] { prune(std::nullopt); }, ErrorCode::kUsage).find("retention"),
            std::string::npos);
  failure([&] { prune("soon"); }, ErrorCode::kUsage);
  EXPECT_TRUE(prune("7 days").rows[0].starts_with("0|0|0|0|"));
  set_retention(*home_, {"public", "t"}, "1");
  EXPECT_TRUE(prune(std::nullopt).rows[0].starts_with("2|2|1|"));
}

TEST_F(Versions, PruneIsHeldByOpenOperationsAndViewsOverVersions) {
  home_.run("CREATE TABLE t (id int)");
  home_.run("INSERT INTO t VALUES (1)");
  home_.run("CREATE VIEW old AS SELECT id FROM \"t:1\"");
  const auto other = home_.open_another();
  home_.run("INSERT INTO t VALUES (2)");
  const auto operation =
      other->log.begin(*other->catalog.table({"", "t"}), "update", "a long statement");
  home_.run("INSERT INTO t VALUES (3)");
  EXPECT_NE(prune("1").notices[0].find("view public.old"), std::string::npos);
  EXPECT_EQ(home_.ask("SELECT id FROM old"), Rows{"1"});
  home_.run("DROP VIEW old");
  const Collector held = prune("1");
  EXPECT_NE(held.notices[0].find("operation"), std::string::npos) << held.notices[0];
  EXPECT_TRUE(held.rows[0].starts_with("2|")) << held.rows[0];
  other->log.fail(operation, "discarded", "");
  EXPECT_TRUE(prune("1").rows[0].starts_with("3|"));
}

TEST_F(Versions, PruneDropsColumnsThatNoVersionHasAnyMore) {
  home_.run("CREATE TABLE t (id int PRIMARY KEY, a text, n int)");
  home_.run("INSERT INTO t VALUES (1, 'x', 2)");
  home_.ask("SELECT * FROM \"t:1\"");  // makes a view over it
  home_.run("ALTER TABLE t DROP COLUMN a");
  home_.run("ALTER TABLE t ALTER COLUMN n TYPE bigint");
  home_.run("ALTER TABLE t RENAME COLUMN n TO m");
  const auto physical_columns = [&] {
    return home_.context()
        .main
        .exec("SELECT count(*) FROM pg_attribute WHERE attrelid = '" +
              home_.context().catalog.table({"", "t"})->store_table() +
              "'::regclass AND attnum > 0 AND NOT attisdropped")
        .integer(0, 0);
  };
  EXPECT_EQ(physical_columns(), 3 + 4);
  EXPECT_TRUE(prune("4").rows[0].ends_with("|0"));  // version 1 has both
  EXPECT_TRUE(prune("3").rows[0].ends_with("|1"));  // version 2 has the old n
  EXPECT_TRUE(prune("2").rows[0].ends_with("|1"));
  EXPECT_EQ(physical_columns(), 3 + 2);
  EXPECT_EQ(home_.ask("SELECT * FROM \"t:3\""), Rows{"1|2"});
  EXPECT_EQ(home_.ask("SELECT id, m FROM t"), Rows{"1|2"});
  EXPECT_EQ(home_.run("UPDATE t SET m = 3"), "UPDATE 1 version 5");
}

}  // namespace
}  // namespace coppice::engine
