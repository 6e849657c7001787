// History, diff and revert on a real server.
#include <thread>

#include "engine/versions_fixture.h"
#include "pg/transaction.h"

namespace coppice::engine {
namespace {

TEST_F(Versions, HistoryListsPublishedVersionsOldestFirst) {
  home_.run("CREATE TABLE t (id int PRIMARY KEY, a text)");
  home_.run("INSERT INTO t VALUES (1, 'a'), (2, 'b')");
  home_.run("UPDATE t SET a = 'B' WHERE id = 2");
  EXPECT_THROW(home_.run("INSERT INTO t VALUES (1, 'again')"), Error);
  home_.run("DELETE FROM t");
  const Collector given = home_.collect(
      [](EngineContext& context, ResultSink& sink) { show_history(context, "t", sink); });
  EXPECT_EQ(given.names, (Rows{"version", "published_at", "author", "kind", "rows_inserted",
                               "rows_updated", "rows_deleted", "errors", "statement"}));
  Rows seen;
  for (const std::string& row : given.rows) {
    seen.push_back(std::regex_replace(row, std::regex("^(\\d+)\\|[^|]*\\|[^|]*\\|"), "$1|"));
  }
  EXPECT_EQ(seen, (Rows{"0|create table|0|0|0|0|CREATE TABLE t (id int PRIMARY KEY, a text)",
                        "1|insert|2|0|0|0|INSERT INTO t VALUES (1, 'a'), (2, 'b')",
                        "2|update|0|1|0|0|UPDATE t SET a = 'B' WHERE id = 2",
                        "3|delete|0|0|2|0|DELETE FROM t"}));
}

TEST_F(Versions, NamesOfViewsAndUnknownTablesAreRefused) {
  home_.run("CREATE TABLE t (id int); CREATE VIEW v AS SELECT id FROM t");
  const auto history = [&](const std::string& name) {
    return failure([&] { show_history(*home_, name, last_); },
                   name == "v" ? ErrorCode::kRefused : ErrorCode::kNotFound);
  };
  EXPECT_NE(history("v").find("is a view"), std::string::npos);
  EXPECT_NE(history("tt").find("did you mean"), std::string::npos);
}

TEST_F(Versions, DiffTellsRowsAndCells) {
  home_.run("CREATE TABLE t (id int PRIMARY KEY, a text, n numeric)");
  home_.run("INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3), (4, 'd', 4)");
  home_.run("UPDATE t SET a = 'B', n = 2.0 WHERE id = 2");
  home_.run("DELETE FROM t WHERE id = 3");
  home_.run("INSERT INTO t VALUES (5, NULL, 5)");
  home_.run("UPDATE t SET a = a WHERE id = 4");  // another row version, the same cells
  EXPECT_EQ(diff("1", "5"), (Rows{"update|id = 2|a|b|B", "update|id = 2|n|2|2.0",
                                  "delete|id = 3|NULL|{\"id\":3,\"a\":\"c\",\"n\":3}|NULL",
                                  "insert|id = 5|NULL|NULL|{\"id\":5,\"a\":null,\"n\":5}"}));
  // Backwards it is the opposite.
  EXPECT_EQ(diff("current", "1"), (Rows{"update|id = 2|a|B|b", "update|id = 2|n|2.0|2",
                                        "insert|id = 3|NULL|NULL|{\"id\":3,\"a\":\"c\",\"n\":3}",
                                        "delete|id = 5|NULL|{\"id\":5,\"a\":null,\"n\":5}|NULL"}));
  EXPECT_EQ(diff("2", "2"), Rows{});
  EXPECT_EQ(diff("4", "5"), Rows{});
  EXPECT_NE(failure([&] { diff("1", "9"); }, ErrorCode::kNotFound).find("newest version is 5"),
            std::string::npos);
}

TEST_F(Versions, DiffTellsColumnsAndWhatAnExpressionChanged) {
  home_.run(
      "CREATE TABLE t (a text, n int, gone int, twice int GENERATED ALWAYS AS (n * 2) STORED)");
  home_.run("INSERT INTO t (a, n) VALUES ('x', 1), ('y', 0)");
  home_.run("ALTER TABLE t RENAME COLUMN a TO label");
  home_.run("ALTER TABLE t DROP COLUMN gone");
  home_.run("ALTER TABLE t ADD COLUMN extra text NOT NULL DEFAULT 'e'");
  home_.run("ALTER TABLE t ALTER COLUMN label SET NOT NULL");
  home_.run("ALTER TABLE t ADD COLUMN big bigint");
  EXPECT_EQ(diff("1", "current", true),
            (Rows{"column dropped|NULL|gone|integer|NULL", "column renamed|NULL|label|a|label",
                  "null allowed|NULL|label|yes|no",
                  "column added|NULL|extra|NULL|text DEFAULT 'e' NOT NULL",
                  "column added|NULL|big|NULL|bigint"}));
  // Without a key rows are told by their numbers.
  home_.run("UPDATE t SET label = 'z' WHERE n = 0");
  const Rows rows = diff("6", "7");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_TRUE(std::regex_match(rows[0], std::regex("update\\|_row = \\d+\\|label\\|y\\|z")))
      << rows[0];
}

TEST_F(Versions, RevertGivesTheRowsOfAnOlderVersion) {
  home_.run("CREATE TABLE t (id int PRIMARY KEY, a text)");
  home_.run("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')");
  const Rows before = identities();
  home_.run("UPDATE t SET a = 'B' WHERE id = 2");
  home_.run("DELETE FROM t WHERE id = 3");
  home_.run("INSERT INTO t VALUES (4, 'd')");
  EXPECT_EQ(revert_plan("1"), (Rows{"insert|1", "update|1", "delete|1"}));
  EXPECT_EQ(home_.ask("SELECT count(*) FROM t WHERE id = 4"), Rows{"1"});
  EXPECT_EQ(revert("1"), "REVERT 3 version 5");
  EXPECT_EQ(home_.ask("SELECT * FROM t ORDER BY id"), (Rows{"1|a", "2|b", "3|c"}));
  EXPECT_EQ(identities(), before);
  EXPECT_EQ(diff("1", "5"), Rows{});
  // Nothing of the past is gone, and the revert can be undone too.
  EXPECT_EQ(home_.ask("SELECT * FROM \"t:4\" ORDER BY id"), (Rows{"1|a", "2|B", "4|d"}));
  EXPECT_EQ(revert("4"), "REVERT 3 version 6");
  EXPECT_EQ(home_.ask("SELECT * FROM t ORDER BY id"), (Rows{"1|a", "2|B", "4|d"}));
  // Equal already: no version, and no row version either.
  const std::int64_t stored = stored_rows();
  EXPECT_EQ(revert("4"), "REVERT 0");
  EXPECT_EQ(last_.notices.size(), 1U);
  EXPECT_EQ(revert("current"), "REVERT 0");
  EXPECT_EQ(stored_rows(), stored);
  EXPECT_EQ(home_.run("INSERT INTO t VALUES (9, 'z')"), "INSERT 0 1 version 7");
}

TEST_F(Versions, RevertSwapsKeysWithoutAClash) {
  home_.run("CREATE TABLE t (id int PRIMARY KEY, a text UNIQUE)");
  home_.run("INSERT INTO t SELECT i, 'a' || i FROM generate_series(1, 100) AS i");
  home_.run("UPDATE t SET id = id + 1000, a = 'a' || (101 - id)");
  home_.run("INSERT INTO t SELECT i, 'b' || i FROM generate_series(1, 100) AS i");
  EXPECT_EQ(revert("1"), "REVERT 200 version 4");
  EXPECT_EQ(home_.ask("SELECT count(*), bool_and(a = 'a' || id) FROM t"), Rows{"100|t"});
}

TEST_F(Versions, RevertComputesOnlyWhatOldRowsDoNotHold) {
  home_.run(
      "CREATE TABLE t (id int PRIMARY KEY, a text, b int, dropped int, "
      "r float8 GENERATED ALWAYS AS (b + random()) STORED)");
  home_.run("INSERT INTO t (id, a, b) VALUES (1, 'x', 10), (2, 'y', 20), (3, 'z', 30)");
  const Rows random_values = home_.ask("SELECT r FROM t ORDER BY id");
  home_.run("DELETE FROM t WHERE id = 3");
  home_.run("ALTER TABLE t RENAME COLUMN a TO label");
  home_.run(
      "ALTER TABLE t ADD COLUMN half float8 GENERATED ALWAYS AS (b / 2 + random() * 0) STORED");
  home_.run("ALTER TABLE t ADD COLUMN extra text DEFAULT 'e'");
  home_.run("ALTER TABLE t DROP COLUMN dropped");
  home_.run("UPDATE t SET b = b + 1, label = upper(label), extra = 'changed'");
  EXPECT_EQ(revert("1"), "REVERT 3 version 8");
  EXPECT_EQ(last_.notices,
            Rows{"column \"dropped\" of version 1 was dropped since and stays away"});
  EXPECT_EQ(home_.ask("SELECT id, label, b, half, extra FROM t ORDER BY id"),
            (Rows{"1|x|10|5|e", "2|y|20|10|e", "3|z|30|15|e"}));
  EXPECT_EQ(home_.ask("SELECT r FROM t ORDER BY id"), random_values);  // copied, not drawn again
}

TEST_F(Versions, RevertConvertsCellsOfAColumnWhoseTypeChanged) {
  home_.run("CREATE TABLE t (id int PRIMARY KEY, n int)");
  home_.run("INSERT INTO t VALUES (1, 10), (2, 20)");
  home_.run("DELETE FROM t WHERE id = 2");
  home_.run("ALTER TABLE t ALTER COLUMN n TYPE text");
  home_.run("DELETE FROM t");
  EXPECT_EQ(revert("1"), "REVERT 2 version 5");
  EXPECT_EQ(home_.ask("SELECT id, n, pg_typeof(n) FROM t ORDER BY id"),
            (Rows{"1|10|text", "2|20|text"}));
}

TEST_F(Versions, RevertRunsEngineFunctionsForRowsThatLackTheirCells) {
  const std::string square = write_png(home_.folder(), "square.png", false);
  const std::string wide = write_png(home_.folder(), "wide.png", true);
  home_.run("CREATE TABLE t (id int PRIMARY KEY, photo image, note text)");
  home_.run(fmt::format("INSERT INTO t VALUES (1, '{}', 'a'), (2, '{}', 'b')", square, wide));
  home_.run("DELETE FROM t WHERE id = 2");
  home_.run("ALTER TABLE t ADD COLUMN w bigint GENERATED ALWAYS AS (width(photo)) STORED");
  home_.run("ALTER TABLE t ADD COLUMN w2 bigint GENERATED ALWAYS AS (w * 2) STORED");
  home_.run("UPDATE t SET note = 'changed'");
  EXPECT_EQ(revert("1"), "REVERT 2 version 6");
  EXPECT_EQ(home_.ask("SELECT id, note, w, w2 FROM t ORDER BY id"), (Rows{"1|a|1|2", "2|b|3|6"}));
  EXPECT_EQ(home_.ask("SELECT count(*) FROM pg_class WHERE relname LIKE 's%\\_6' AND "
                      "relnamespace = 'coppice_store'::regnamespace"),
            Rows{"0"});
}

TEST_F(Versions, RevertRefusesOldRowsThatBreakANewConstraintAndChangesNothing) {
  home_.run("CREATE TABLE t (id int PRIMARY KEY, n int)");
  home_.run("INSERT INTO t VALUES (1, -1)");
  home_.run("UPDATE t SET n = 1");
  home_.run("ALTER TABLE t ADD CONSTRAINT positive CHECK (n > 0)");
  EXPECT_NE(failure([&] { revert("1"); }, ErrorCode::kConstraint).find("\"positive\""),
            std::string::npos);
  EXPECT_EQ(home_.ask("SELECT * FROM t"), Rows{"1|1"});
  EXPECT_EQ(home_.ask("SELECT state FROM coppice.operations WHERE kind = 'revert'"),
            Rows{"failed"});
}

TEST_F(Versions, RevertNamesTheRowWhoseComputationFails) {
  home_.run("CREATE TABLE t (id int PRIMARY KEY, n int)");
  home_.run("INSERT INTO t VALUES (1, 0), (2, 5)");
  home_.run("DELETE FROM t WHERE n = 0");
  home_.run("ALTER TABLE t ADD COLUMN part int GENERATED ALWAYS AS (100 / n) STORED");
  const std::string told = failure([&] { revert("1"); }, ErrorCode::kComputation);
  EXPECT_NE(told.find("\"part\""), std::string::npos) << told;
  EXPECT_NE(told.find("id = 1"), std::string::npos) << told;
}

TEST_F(Versions, ARevertSeesWhatOthersPublishWhileItRuns) {
  home_.run("CREATE TABLE t (id int, n int)");  // no key that would stop a row from coming twice
  home_.run("INSERT INTO t SELECT i, i FROM generate_series(1, 50) AS i");
  home_.run("UPDATE t SET n = -n");
  const auto other = home_.open_another();
  const auto reverting = home_.open_another();
  const auto table = other->catalog.table({"", "t"});
  const catalog::Operation operation = other->log.begin(*table, "update", "of another session");
  pg::Transaction transaction(other->main);
  other->log.enter(operation);
  other->main.exec(
      fmt::format("UPDATE {0} SET _to = {1} WHERE id = 7; "
                  "INSERT INTO {0} (id, n) VALUES (1000, 0)",
                  table->working_view(), operation.op_id));
  Collector given;
  std::jthread thread([&] { run_revert(*reverting, "t", "1", false, given); });
  // The revert has read the rows and waits for the one that the other session changes.
  const std::string waits =
      fmt::format("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pid = {})",
                  reverting->main.backend_pid());
  while (!home_.context().main.exec(waits).boolean(0, 0)) std::this_thread::yield();
  other->log.publish(operation, {.inserted = 1, .deleted = 1}, false, false);
  transaction.commit();
  thread.join();
  EXPECT_EQ(given.tags, Rows{"REVERT 51 version 4"});
  EXPECT_EQ(diff("1", "current"), Rows{});
  EXPECT_EQ(home_.ask("SELECT count(*), bool_and(n = id) FROM t"), Rows{"50|t"});
}

TEST_F(Versions, OperationsAreOfTheVersionTheyWerePublishedAs) {
  home_.run("CREATE TABLE t (id int PRIMARY KEY)");
  home_.run("INSERT INTO t VALUES (1), (2)");
  // Drawn before version 2 is published, published after it.
  const auto other = home_.open_another();
  const auto table = other->catalog.table({"", "t"});
  const catalog::Operation slow = other->log.begin(*table, "insert", "a slow statement");
  home_.run("INSERT INTO t VALUES (3)");
  {
    pg::Transaction transaction(other->main);
    other->log.enter(slow);
    other->main.exec(
        fmt::format("INSERT INTO {0} (id) VALUES (4); UPDATE {0} SET _to = {1} WHERE id = 1",
                    table->working_view(), slow.op_id));
    other->log.publish(slow, {.inserted = 1, .deleted = 1}, false, false);
    transaction.commit();
  }
  EXPECT_EQ(diff("1", "2"), (Rows{"insert|id = 3|NULL|NULL|{\"id\":3}"}));
  EXPECT_EQ(diff("2", "3"),
            (Rows{"delete|id = 1|NULL|{\"id\":1}|NULL", "insert|id = 4|NULL|NULL|{\"id\":4}"}));
  EXPECT_EQ(revert("2"), "REVERT 2 version 4");
  EXPECT_EQ(home_.ask("SELECT id FROM t ORDER BY id"), (Rows{"1", "2", "3"}));
  EXPECT_EQ(revert("1"), "REVERT 1 version 5");
  EXPECT_EQ(home_.ask("SELECT id FROM \"t:3\" ORDER BY id"), (Rows{"2", "3", "4"}));
  // Pruned to version 2 the row that the slow operation closed is still there for it.
  snapshot_at("two", 2);
  EXPECT_TRUE(prune("1").rows[0].starts_with("2|2|0|"));
  EXPECT_EQ(home_.ask("SELECT id FROM \"t:two\" ORDER BY id"), (Rows{"1", "2", "3"}));
}

}  // namespace
}  // namespace coppice::engine
