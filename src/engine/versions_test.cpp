// History, diff, revert, snapshots, prune, lineage, errors and recompute on a real server.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <thread>

#include "engine/diff.h"
#include "engine/history.h"
#include "engine/lineage.h"
#include "engine/prune.h"
#include "engine/recompute.h"
#include "engine/revert.h"
#include "engine/run_sql.h"
#include "engine/snapshots.h"
#include "engine/table_options.h"
#include "engine/test_context.h"
#include "pg/transaction.h"

namespace coppice::engine {
namespace {

using Rows = std::vector<std::string>;

class Versions : public ::testing::Test {
 protected:
  std::string revert(const std::string& to, const std::string& table = "t") {
    last_ = home_.collect([&](EngineContext& context, ResultSink& sink) {
      run_revert(context, table, to, false, sink);
    });
    return last_.tags.back();
  }
  Rows revert_plan(const std::string& to) {
    return home_
        .collect([&](EngineContext& context, ResultSink& sink) {
          run_revert(context, "t", to, true, sink);
        })
        .rows;
  }
  Rows diff(const std::string& from, const std::string& to, bool schema_only = false) {
    return home_
        .collect([&](EngineContext& context, ResultSink& sink) {
          show_diff(context, "t", from, to, schema_only, sink);
        })
        .rows;
  }
  Collector prune(const std::optional<std::string>& keep, bool dry_run = false) {
    return home_.collect([&](EngineContext& context, ResultSink& sink) {
      run_prune(context, "t", keep, dry_run, sink);
    });
  }
  std::string recompute(const std::vector<std::string>& columns,
                        const std::optional<std::string>& where = {}, bool errors_only = false) {
    last_ = home_.collect([&](EngineContext& context, ResultSink& sink) {
      run_recompute(context, "t", columns, where, errors_only, sink);
    });
    return last_.tags.back();
  }
  Rows errors() {
    Rows rows;
    for (const std::string& row : home_
                                      .collect([&](EngineContext&context, ResultSink&sink) {
                                        show_errors(context, std::nullopt, sink);
                                      })
                                      .rows) {
      // Without the moment.
      rows.push_back(std::regex_replace(row, std::regex("\\|\\d{4}-[^|]*\\|"), "|…|"));
    }
    return rows;
  }
  void snapshot(const std::string& name) {
    home_.collect([&](EngineContext& context, ResultSink& sink) {
      create_snapshot(context, "t", name, sink);
    });
  }
  // Of an older version, as only a test can make it.
  void snapshot_at(const std::string& name, int version) {
    snapshot(name);
    home_.context().main.exec(
        fmt::format("UPDATE coppice.snapshots SET version = {} WHERE name = '{}'", version, name));
  }
  void drop(const std::string& name) {
    home_.collect(
        [&](EngineContext& context, ResultSink& sink) { drop_snapshot(context, "t", name, sink); });
  }
  std::string lineage(const std::string& name, LineageFormat format = LineageFormat::kText) {
    std::string text;
    for (const std::string& row : home_
                                      .collect([&](EngineContext&context, ResultSink&sink) {
                                        show_lineage(context, name, format, sink);
                                      })
                                      .rows) {
      text += row + "\n";
    }
    return text;
  }
  // Identities of the current rows, by id: "1:17".
  Rows identities() {
    const auto table = home_.context().catalog.table({"", "t"});
    Rows rows;
    const pg::Result result = home_.context().main.exec(
        fmt::format("SELECT id || ':' || _row FROM {} ORDER BY id", table->working_view()));
    for (int row = 0; row < result.rows(); ++row) rows.emplace_back(result.text(row, 0));
    return rows;
  }
  std::int64_t stored_rows() {
    const auto table = home_.context().catalog.table({"", "t"});
    return home_.context().main.exec("SELECT count(*) FROM " + table->store_table()).integer(0, 0);
  }
  template <class Action>
  static std::string failure(const Action& action, ErrorCode code) {
    try {
      action();
    } catch (const Error& error) {
      EXPECT_EQ(code_name(error.code()), code_name(code)) << error.message();
      return error.message() + " " + error.hint();
    }
    ADD_FAILURE() << "an error was expected";
    return {};
  }

  TestContext home_;
  Collector last_;
};

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

TEST_F(Versions, ErrorsAreListedUntilTheirCellsAreMended) {
  home_.run(
      "CREATE TABLE t (id int PRIMARY KEY, n int, note text, "
      "part int OPTIONS (on_error 'ignore') GENERATED ALWAYS AS (100 / n) STORED)");
  home_.run("INSERT INTO t (id, n) VALUES (1, 4), (2, 0), (3, 0)");
  EXPECT_EQ(errors(), (Rows{"public.t|part|id = 2|22012|division by zero|…|1",
                            "public.t|part|id = 3|22012|division by zero|…|1"}));
  home_.run("UPDATE t SET note = 'seen'");  // the cells are copied, and so are their errors
  home_.run("UPDATE t SET n = 5 WHERE id = 2");
  EXPECT_EQ(errors(), (Rows{"public.t|part|id = 3|22012|division by zero|…|1"}));
  EXPECT_EQ(revert("1"), "REVERT 3 version 4");
  EXPECT_EQ(errors().size(), 2U);
  home_.run("DELETE FROM t WHERE id = 3");
  EXPECT_EQ(errors().size(), 1U);
  prune("1");
  EXPECT_EQ(home_.ask("SELECT row_id IS NOT NULL FROM coppice.cell_errors"), Rows{"t"});
}

TEST_F(Versions, RecomputeEvaluatesTheChosenCellsAndWhatReadsThem) {
  home_.run(
      "CREATE TABLE t (id int PRIMARY KEY, n int, r float8 GENERATED ALWAYS AS (random() + n) "
      "STORED, floor_of int GENERATED ALWAYS AS (floor(r)::int) STORED, "
      "other float8 GENERATED ALWAYS AS (random()) STORED)");
  home_.run("INSERT INTO t (id, n) VALUES (1, 1), (2, 2), (3, 3)");
  const auto same = [&](const std::string& column) {
    return home_.ask(
        fmt::format("SELECT string_agg((old.{0} = new.{0})::text, ',' ORDER BY id) "
                    "FROM \"t:1\" old JOIN t new USING (id)",
                    column));
  };
  EXPECT_EQ(recompute({"r"}, "id = 3"), "RECOMPUTE 1 version 2");
  EXPECT_EQ(same("r"), Rows{"true,true,false"});
  EXPECT_EQ(same("other"), Rows{"true,true,true"});
  EXPECT_EQ(home_.ask("SELECT bool_and(floor_of = n) FROM t"), Rows{"t"});
  EXPECT_EQ(recompute({}), "RECOMPUTE 3 version 3");
  EXPECT_EQ(same("other"), Rows{"false,false,false"});
  EXPECT_EQ(recompute({}, "id > 3"), "RECOMPUTE 0");
  failure([&] { recompute({"nothing"}); }, ErrorCode::kNotFound);
  failure([&] { recompute({"n"}); }, ErrorCode::kRefused);
  failure([&] { recompute({"r"}, "id ="); }, ErrorCode::kSyntax);
}

TEST_F(Versions, RecomputeOfErrorsMendsThem) {
  home_.context().main.exec(
      "CREATE FUNCTION public.risky(i int) RETURNS int LANGUAGE sql VOLATILE AS "
      "'SELECT 100 / nullif(i, 0) + 1 / 0'");
  home_.run(
      "CREATE TABLE t (id int PRIMARY KEY, n int, "
      "part int OPTIONS (on_error 'ignore') GENERATED ALWAYS AS (public.risky(n)) STORED)");
  home_.run("INSERT INTO t (id, n) VALUES (1, 10), (2, 20)");
  EXPECT_EQ(errors().size(), 2U);
  home_.context().main.exec(
      "CREATE OR REPLACE FUNCTION public.risky(i int) RETURNS int LANGUAGE sql VOLATILE AS "
      "'SELECT 100 / (i - 20)'");
  EXPECT_EQ(recompute({}, std::nullopt, true), "RECOMPUTE 2 version 2");
  EXPECT_EQ(home_.ask("SELECT id, part FROM t ORDER BY id"), (Rows{"1|-10", "2|NULL"}));
  ASSERT_EQ(errors().size(), 1U);
  EXPECT_TRUE(errors()[0].starts_with("public.t|part|id = 2|")) << errors()[0];
  home_.context().main.exec(
      "CREATE OR REPLACE FUNCTION public.risky(i int) RETURNS int LANGUAGE sql VOLATILE AS "
      "'SELECT i'");
  EXPECT_EQ(recompute({"part"}, std::nullopt, true), "RECOMPUTE 1 version 3");
  EXPECT_EQ(home_.ask("SELECT id, part FROM t ORDER BY id"), (Rows{"1|-10", "2|20"}));
  EXPECT_EQ(recompute({"part"}, std::nullopt, true), "RECOMPUTE 0");
}

TEST_F(Versions, LineageFollowsColumnsThroughExpressionsAndViews) {
  home_.run("CREATE SCHEMA films");
  home_.run(
      "CREATE TABLE films.film (id int PRIMARY KEY, clip video, title text, "
      "seconds double precision GENERATED ALWAYS AS (duration(clip)) STORED, "
      "minutes double precision GENERATED ALWAYS AS (seconds / 60) STORED)");
  home_.run("CREATE TABLE films.kind (id int PRIMARY KEY, name text)");
  home_.run(
      "CREATE VIEW films.list AS WITH k AS (SELECT id, upper(name) AS loud FROM films.kind) "
      "SELECT f.title || ' ' || k.loud AS label, s.longest FROM films.film f JOIN k USING (id), "
      "LATERAL (SELECT max(g.minutes) AS longest FROM films.film g WHERE g.id = f.id) s "
      "UNION ALL SELECT name, 0 FROM films.kind");
  home_.run("ALTER TABLE films.film RENAME COLUMN title TO \"The Title\"");
  EXPECT_EQ(lineage("films.film.seconds"),
            "films.film.seconds double precision = duration(clip)\n"
            "  made from\n"
            "    films.film.clip video\n"
            "  used by\n"
            "    films.film.minutes double precision = seconds / 60\n"
            "      films.list.longest double precision (view)\n");
  EXPECT_EQ(lineage("films.list.label"),
            "films.list.label text (view)\n"
            "  made from\n"
            "    films.film.\"The Title\" text\n"
            "    films.kind.name text\n");
  const auto document = nlohmann::json::parse(lineage("films.list", LineageFormat::kJson));
  std::set<std::string> edges;
  for (const auto& edge : document["edges"]) {
    edges.insert(edge["from"].get<std::string>() + " > " + edge["to"].get<std::string>());
  }
  EXPECT_EQ(edges,
            (std::set<std::string>{
                "films.film.\"The Title\" > films.list.label", "films.kind.name > films.list.label",
                "films.film.clip > films.film.seconds", "films.film.seconds > films.film.minutes",
                "films.film.minutes > films.list.longest"}));
  EXPECT_NE(lineage("films.kind.name", LineageFormat::kDot)
                .find("\"films.kind.name\" -> \"films.list.label\";"),
            std::string::npos);
  failure([&] { lineage("films.nothing"); }, ErrorCode::kNotFound);
  failure([&] { lineage("films.film.nothing"); }, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace coppice::engine
