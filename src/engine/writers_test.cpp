// Two sessions of one home, each stopped at a certain place: what one publishes while the other is
// under way is neither lost nor shown too early. Nothing here depends on who is faster.
#include <chrono>
#include <future>
#include <thread>

#include "engine/run_sql.h"
#include "engine/stage.h"
#include "engine/versions_fixture.h"
#include "pg/transaction.h"

namespace coppice::engine {
namespace {

class Writers : public Versions {
 protected:
  // A session that should not have to wait fails, instead of waiting for the test itself.
  void SetUp() override { home_.context().main.exec("SET lock_timeout = '60s'"); }

  // Returns when the session waits for a lock that somebody else holds.
  void wait_until_blocked(const EngineContext& session) {
    const std::string query =
        fmt::format("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pid = {})",
                    session.main.backend_pid());
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!home_.context().main.exec(query).boolean(0, 0)) {
      if (std::chrono::steady_clock::now() > deadline) {
        throw std::runtime_error("the other session never waited for a lock");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }

  // An UPDATE of one row that ends when the test says so: what a slow statement has staged.
  Stage stage_update(EngineContext& session, const catalog::Operation& operation, int id, int n) {
    const auto table = session.catalog.table({"", "t"});
    Stage stage = Stage::create(session, table, operation);
    session.main.exec(fmt::format(
        "INSERT INTO {} (_row, _old, _action, {}, {}) SELECT _row, _from, 'u', id, {} FROM {} "
        "WHERE id = {}",
        stage.name(), table->columns[0].physical, table->columns[1].physical, n,
        table->working_view(), id));
    return stage;
  }
};

TEST_F(Writers, AnUpdateLooksAgainAtRowsThatOthersReplaced) {
  home_.context().main.exec(
      "CREATE FUNCTION public.gate(n int) RETURNS int LANGUAGE plpgsql VOLATILE AS "
      "'BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN n; END'");
  home_.run("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 0), (2, 0)");
  const auto other = home_.open_another();
  Collector given;
  std::future<void> update;  // joined last, when the gate is open
  auto gate = pg::Connection::connect(home_.context().address.owner_conninfo);
  gate.exec("SELECT pg_advisory_lock(42)");
  update = std::async(std::launch::async, [&] {
    run_script(*other, "UPDATE t SET n = n + 1 WHERE id = 1 AND public.gate(n) = n", {}, given);
  });
  wait_until_blocked(*other);
  EXPECT_EQ(home_.run("UPDATE t SET n = n + 10 WHERE id = 1"), "UPDATE 1 version 2");
  gate.exec("SELECT pg_advisory_unlock(42)");
  update.get();
  EXPECT_EQ(given.tags, Rows{"UPDATE 1 version 3"});
  EXPECT_EQ(home_.ask("SELECT id, n FROM t ORDER BY id"), (Rows{"1|11", "2|0"}));
  EXPECT_EQ(home_.ask("SELECT n FROM \"t:2\" WHERE id = 1"), Rows{"10"});
}

TEST_F(Writers, TwoThatPublishAtOnceGetOneVersionEach) {
  home_.run("CREATE TABLE t (id int)");
  const auto other = home_.open_another();
  EngineContext& mine = home_.context();
  catalog::RowCounts counts;
  counts.inserted = 1;
  const auto first = mine.log.begin(*mine.catalog.table({"", "t"}), "insert", "the first");
  const auto second = other->log.begin(*other->catalog.table({"", "t"}), "insert", "the second");
  std::future<std::optional<std::int64_t>> later;  // joined after the transaction's end
  pg::Transaction transaction(mine.main);
  EXPECT_EQ(mine.log.publish(first, counts, false, false).version, 1);
  later = std::async(std::launch::async, [&] {
    pg::Transaction whole(other->main);
    const auto version = other->log.publish(second, counts, false, false).version;
    whole.commit();
    return version;
  });
  wait_until_blocked(*other);
  transaction.commit();
  EXPECT_EQ(later.get(), 2);
}

TEST_F(Writers, AVersionHidesWhatWasStillOpenThen) {
  home_.run("CREATE TABLE t (id int PRIMARY KEY, n int)");
  home_.run("INSERT INTO t VALUES (1, 1), (2, 1)");
  const auto other = home_.open_another();
  const auto slow = other->log.begin(*other->catalog.table({"", "t"}), "update", "a slow one");
  Stage stage = stage_update(*other, slow, 1, 11);
  EXPECT_EQ(home_.run("UPDATE t SET n = 2 WHERE id = 2"), "UPDATE 1 version 2");
  EXPECT_EQ(stage.publish("", "t").version, 3);
  const auto rows_of = [&](const std::string& name) {
    return home_.ask(fmt::format("SELECT id, n FROM {} ORDER BY id", name));
  };
  const Rows before = {"1|1", "2|2"};
  EXPECT_EQ(rows_of("\"t:2\""), before);
  EXPECT_EQ(rows_of("\"t:3\""), (Rows{"1|11", "2|2"}));
  EXPECT_EQ(diff("2", "3"), Rows{"update|id = 1|n|1|11"});
  // The row that the slow operation closed is not older than version 2, whatever its number says.
  EXPECT_EQ(prune("2").tags, Rows{"PRUNE 1"});
  EXPECT_EQ(stored_rows(), 3);
  EXPECT_EQ(rows_of("\"t:2\""), before);
  EXPECT_EQ(revert("2"), "REVERT 1 version 4");
  EXPECT_EQ(rows_of("t"), before);
}

}  // namespace
}  // namespace coppice::engine
