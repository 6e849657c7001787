#include "pg/retry.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/error.h"
#include "pg/test_server.h"
#include "pg/transaction.h"

namespace coppice::pg {
namespace {

using namespace std::chrono_literals;

// Real time, but sleeps are counted and short.
class CountingClock final : public Clock {
 public:
  std::int64_t now_us() const override { return system_.now_us(); }
  void sleep(std::chrono::milliseconds duration) const override {
    ++sleeps;
    system_.sleep(std::min(duration, 20ms));
  }
  mutable std::atomic<int> sleeps = 0;

 private:
  SystemClock system_;
};

TEST(RetryConflicts, CollidingWritersAllSucceed) {
  const TestDatabase database;
  database.connect().exec("CREATE TABLE t (n int); INSERT INTO t VALUES (0)");
  const CountingClock clock;
  const auto increment = [&] {
    Connection connection = database.connect();
    for (int i = 0; i < 50; ++i) {
      retry_conflicts(clock,
                      [&] {
                        Transaction transaction(connection, TransactionMode::kRepeatableRead);
                        const std::int64_t n = connection.exec("SELECT n FROM t").integer(0, 0);
                        connection.exec_params("UPDATE t SET n = $1", {std::to_string(n + 1)});
                        transaction.commit();
                      },
                      {.attempts = 1000});
    }
  };
  std::thread other(increment);
  increment();
  other.join();
  EXPECT_EQ(database.connect().exec("SELECT n FROM t").integer(0, 0), 100);
}

TEST(RetryConflicts, GivesUpAndLetsOtherErrorsThrough) {
  const TestDatabase database;
  Connection connection = database.connect();
  const CountingClock clock;
  int runs = 0;
  const auto raise = [&](const char* sqlstate) {
    return [&, sqlstate] {
      ++runs;
      connection.exec(std::string("DO $$ BEGIN RAISE SQLSTATE '") + sqlstate + "'; END $$");
    };
  };
  EXPECT_THROW(retry_conflicts(clock, raise("40001"), {.attempts = 4}), ServerError);
  EXPECT_EQ(runs, 4);
  EXPECT_EQ(clock.sleeps, 3);
  EXPECT_THROW(retry_conflicts(clock, raise("23505"), {.attempts = 4}), ServerError);
  EXPECT_EQ(runs, 5);
}

TEST(RunDdl, WaitsForALockThatIsGivenBack) {
  const TestDatabase database;
  Connection connection = database.connect();
  connection.exec("CREATE TABLE t (a int)");
  Connection reader = database.connect();
  auto transaction = std::make_unique<Transaction>(reader);
  reader.exec("SELECT * FROM t");
  std::thread release([&] {
    std::this_thread::sleep_for(400ms);
    transaction.reset();
  });
  const CountingClock clock;
  run_ddl(connection, clock, [](Connection& c) { c.exec("ALTER TABLE t ADD b int"); });
  release.join();
  EXPECT_GT(clock.sleeps, 0);
  EXPECT_EQ(connection.exec("SELECT * FROM t").column_count(), 2);
  EXPECT_EQ(connection.exec("SHOW lock_timeout").text(0, 0), "0");
}

TEST(RunDdl, SaysWhoBlocks) {
  const TestDatabase database;
  Connection connection = database.connect();
  connection.exec("CREATE TABLE busy_table (a int)");
  ConnectOptions options;
  options.conninfo = database.conninfo();
  options.application_name = "long report";
  Connection reader = Connection::connect(options);
  Transaction transaction(reader);
  reader.exec("SELECT 'the slow one' FROM busy_table");
  try {
    run_ddl(connection, CountingClock(),
            [](Connection& c) { c.exec("ALTER TABLE busy_table ADD b int"); }, {.deadline = 300ms});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBusy);
    const std::string message = error.message();
    for (const std::string& part :
         {std::string("busy_table"), std::string("long report"), std::string("the slow one"),
          std::string("idle in transaction"), std::to_string(reader.backend_pid())}) {
      EXPECT_NE(message.find(part), std::string::npos) << part << " is not in: " << message;
    }
  }
  EXPECT_FALSE(connection.in_transaction());
  // Somebody who comes while nothing waits is not held up by what failed.
  EXPECT_EQ(database.connect().exec("SELECT * FROM busy_table").column_count(), 1);
}

TEST(RunDdl, OtherErrorsEndItAtOnce) {
  const TestDatabase database;
  Connection connection = database.connect();
  const CountingClock clock;
  EXPECT_THROW(
      run_ddl(connection, clock, [](Connection& c) { c.exec("ALTER TABLE no ADD b int"); }),
      ServerError);
  EXPECT_EQ(clock.sleeps, 0);
  EXPECT_FALSE(connection.in_transaction());
}

}  // namespace
}  // namespace coppice::pg
