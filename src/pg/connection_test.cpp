#include "pg/connection.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/error.h"
#include "pg/batch.h"
#include "pg/conninfo.h"
#include "pg/probe.h"
#include "pg/row_stream.h"
#include "pg/test_server.h"
#include "pg/transaction.h"

namespace coppice::pg {
namespace {

using namespace std::chrono_literals;

template <typename Callable>
ErrorCode code_of(Callable&& callable) {
  try {
    callable();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorCode::kInternal;
}

class ConnectionTest : public testing::Test {
 protected:
  // Ends the session of `victim` from outside, as an administrator or a crash would.
  void terminate(Connection& victim) {
    Connection other = database_.connect();
    other.exec_params("SELECT pg_terminate_backend($1)", {std::to_string(victim.backend_pid())});
    while (other
               .exec_params("SELECT count(*) FROM pg_stat_activity WHERE pid = $1",
                            {std::to_string(victim.backend_pid())})
               .integer(0, 0) != 0) {
      std::this_thread::sleep_for(5ms);
    }
  }

  TestDatabase database_;
  Connection connection_ = database_.connect();
};

TEST_F(ConnectionTest, GivesRowsColumnsAndTags) {
  const Result result = connection_.exec(
      "SELECT 1 AS a, NULL::text AS b, true UNION ALL "
      "SELECT 2, 'ü', false ORDER BY 1");
  EXPECT_EQ(result.rows(), 2);
  EXPECT_EQ(result.columns().at(0).name, "a");
  EXPECT_EQ(result.columns().at(1).type_oid, 25u);
  EXPECT_EQ(result.integer(1, 0), 2);
  EXPECT_TRUE(result.is_null(0, 1));
  EXPECT_EQ(result.value(0, 1), std::nullopt);
  EXPECT_EQ(result.text(1, 1), "ü");
  EXPECT_TRUE(result.boolean(0, 2));
  EXPECT_EQ(result.command_tag(), "SELECT 2");
  EXPECT_EQ(code_of([&] { result.text(0, 1); }), ErrorCode::kInternal);
  EXPECT_EQ(code_of([&] { result.integer(1, 1); }), ErrorCode::kInternal);
}

TEST_F(ConnectionTest, BindsParametersInsteadOfSplicingThem) {
  connection_.exec("CREATE TABLE t (id int, name text)");
  const std::string hostile = "'); DROP TABLE t; --\\";
  EXPECT_EQ(connection_
                .exec_params("INSERT INTO t VALUES ($1, $2), (2, $3)", {"1", hostile, std::nullopt})
                .affected_rows(),
            2u);
  const Result read = connection_.exec("SELECT name FROM t ORDER BY id");
  EXPECT_EQ(read.text(0, 0), hostile);
  EXPECT_TRUE(read.is_null(1, 0));
}

TEST_F(ConnectionTest, RefusesNulInsteadOfCuttingTheTextThere) {
  const std::string text("a\0b", 3);
  EXPECT_EQ(code_of([&] { connection_.exec_params("SELECT $1::text", {text}); }),
            ErrorCode::kInvalidInput);
  EXPECT_EQ(code_of([&] { connection_.exec("SELECT '" + text + "'"); }), ErrorCode::kInvalidInput);
  const std::vector<Parameter> many(65536, "1");
  EXPECT_EQ(code_of([&] { connection_.exec_params("SELECT 1", many); }), ErrorCode::kInvalidInput);
}

TEST_F(ConnectionTest, TextFormsDoNotDependOnSettingsOfTheDatabase) {
  connection_.exec("ALTER DATABASE " + quote_identifier(database_.name()) +
                   " SET DateStyle = 'German'; ALTER DATABASE " +
                   quote_identifier(database_.name()) + " SET bytea_output = 'escape'");
  Connection fresh = database_.connect();
  const Result result = fresh.exec("SELECT date '2026-01-02', '\\x00ff'::bytea, 0.1::float8");
  EXPECT_EQ(result.text(0, 0), "2026-01-02");
  EXPECT_EQ(result.text(0, 1), "\\x00ff");
  EXPECT_EQ(result.text(0, 2), "0.1");
}

TEST_F(ConnectionTest, PreparesUnderANameAndReplacesIt) {
  connection_.prepare("q", "SELECT $1::int + 1");
  connection_.prepare("q", "SELECT $1::int + 1");
  EXPECT_EQ(connection_.exec_prepared("q", std::vector<Parameter>{"41"}).integer(0, 0), 42);
  EXPECT_EQ(connection_.exec("SELECT count(*) FROM pg_prepared_statements").integer(0, 0), 1);
  connection_.prepare("q", "SELECT $1::int + 2");
  EXPECT_EQ(connection_.exec_prepared("q", std::vector<Parameter>{"41"}).integer(0, 0), 43);
  connection_.exec("CREATE TABLE t (a int)");
  for (const char* change : {"ALTER TABLE t ADD b int", "DEALLOCATE ALL"}) {
    connection_.prepare("all", "SELECT * FROM t");
    connection_.exec_prepared("all", {});
    connection_.exec(change);
    EXPECT_THROW(connection_.exec_prepared("all", {}), ServerError);
    connection_.prepare("all", "SELECT * FROM t");
    EXPECT_EQ(connection_.exec_prepared("all", {}).column_count(), 2);
  }
  const TypeOid text_type = 25;
  connection_.prepare("typed", "SELECT pg_typeof($1)::text", std::span(&text_type, 1));
  EXPECT_EQ(connection_.exec_prepared("typed", std::vector<Parameter>{"1"}).text(0, 0), "text");
}

TEST_F(ConnectionTest, TheStatementCacheIsBoundedAndSurvivesSchemaChanges) {
  for (int i = 0; i < 600; ++i) {
    const std::string sql = "SELECT " + std::to_string(i) + " + $1::int";
    EXPECT_EQ(connection_.exec_cached(sql, {"1"}).integer(0, 0), i + 1);
  }
  EXPECT_EQ(connection_.exec("SELECT count(*) FROM pg_prepared_statements").integer(0, 0), 256);
  connection_.exec("CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
  EXPECT_EQ(connection_.exec_cached("SELECT * FROM t", {}).column_count(), 1);
  connection_.exec("ALTER TABLE t ADD b text DEFAULT 'x'");
  EXPECT_EQ(connection_.exec_cached("SELECT * FROM t", {}).column_count(), 2);
  connection_.exec("DEALLOCATE ALL");
  EXPECT_EQ(connection_.exec_cached("SELECT * FROM t", {}).column_count(), 2);
}

TEST_F(ConnectionTest, AStalePlanInATransactionIsRetryable) {
  connection_.exec("CREATE TABLE t (a int)");
  connection_.exec_cached("SELECT * FROM t", {});
  connection_.exec("ALTER TABLE t ADD b text");
  Transaction transaction(connection_);
  try {
    connection_.exec_cached("SELECT * FROM t", {});
    FAIL();
  } catch (const ServerError& error) {
    EXPECT_TRUE(is_retryable(error)) << error.message();
  }
  transaction.rollback();
  EXPECT_EQ(connection_.exec_cached("SELECT * FROM t", {}).column_count(), 2);
}

TEST_F(ConnectionTest, DescribesWithoutRunning) {
  connection_.exec("CREATE DOMAIN picture AS text; CREATE TABLE t (id bigint, p picture)");
  const Description description = connection_.describe(
      "INSERT INTO t VALUES ($1, $2) RETURNING id, p, id::numeric(8,2) AS n, 1 / 0 AS boom");
  ASSERT_EQ(description.columns.size(), 4u);
  EXPECT_EQ(description.columns[0].type_name, "bigint");
  EXPECT_EQ(description.columns[1].table_column, 2);  // leads to the domain
  EXPECT_EQ(description.columns[2].type_name, "numeric(8,2)");
  ASSERT_EQ(description.parameters.size(), 2u);
  EXPECT_EQ(description.parameters[0].name, "bigint");
  EXPECT_EQ(description.parameters[1].name, "picture");
  EXPECT_EQ(connection_.exec("SELECT count(*) FROM t").integer(0, 0), 0);
  EXPECT_EQ(code_of([&] { connection_.describe("SELECT nothing"); }), ErrorCode::kNotFound);
  EXPECT_TRUE(connection_.describe("CREATE TABLE other (a int)").columns.empty());
}

TEST_F(ConnectionTest, TransactionsInAnEnclosingOneHappenWithItOrNotAtAll) {
  Connection other = database_.connect();
  const auto count = [&] { return other.exec("SELECT count(*) FROM enclosed").integer(0, 0); };
  connection_.exec("CREATE TABLE enclosed (n int)");
  const auto insert = [&](const char* value) {
    Transaction transaction(connection_);
    connection_.exec(std::string("INSERT INTO enclosed VALUES (") + value + ")");
    transaction.commit();
  };
  {
    EnclosingTransaction all(connection_);
    insert("1");
    EXPECT_THROW(insert("1 / 0"), ServerError);
    insert("2");  // the failed one took back itself only
    EXPECT_EQ(count(), 0);
    all.commit();
  }
  EXPECT_EQ(count(), 2);
  {
    EnclosingTransaction all(connection_);
    insert("3");
  }
  EXPECT_EQ(count(), 2);
  insert("4");  // a transaction of its own again
  EXPECT_EQ(count(), 3);
}

TEST_F(ConnectionTest, ATransactionIsAllOrNothing) {
  connection_.exec("CREATE TABLE t (a int)");
  {
    Transaction transaction(connection_);
    connection_.exec("INSERT INTO t VALUES (1)");
  }
  {
    Transaction transaction(connection_);
    connection_.exec("INSERT INTO t VALUES (2)");
    {
      Savepoint savepoint(connection_);
      EXPECT_EQ(code_of([&] { connection_.exec("SELECT 1 / 0"); }), ErrorCode::kInvalidInput);
    }
    {
      Savepoint savepoint(connection_);
      connection_.exec("INSERT INTO t VALUES (3)");
      savepoint.release();
    }
    transaction.commit();
  }
  EXPECT_EQ(connection_.exec("SELECT array_agg(a ORDER BY a)::text FROM t").text(0, 0), "{2,3}");
  Transaction read_only(connection_, TransactionMode::kReadOnly);
  EXPECT_EQ(code_of([&] { connection_.exec("INSERT INTO t VALUES (4)"); }), ErrorCode::kRefused);
}

TEST_F(ConnectionTest, ACommitThatRollsBackIsAnError) {
  connection_.exec("CREATE TABLE t (a int)");
  Transaction transaction(connection_);
  connection_.exec("INSERT INTO t VALUES (1)");
  EXPECT_THROW(connection_.exec("SELECT 1 / 0"), ServerError);
  EXPECT_THROW(transaction.commit(), Error);
  EXPECT_FALSE(connection_.in_transaction());
  EXPECT_EQ(connection_.exec("SELECT count(*) FROM t").integer(0, 0), 0);
}

TEST_F(ConnectionTest, ASnapshotDoesNotMove) {
  connection_.exec("CREATE TABLE t (a int)");
  Connection reader = database_.connect();
  Transaction snapshot(reader, TransactionMode::kReadOnlySnapshot);
  EXPECT_EQ(reader.exec("SELECT count(*) FROM t").integer(0, 0), 0);
  connection_.exec("INSERT INTO t VALUES (1)");
  EXPECT_EQ(reader.exec("SELECT count(*) FROM t").integer(0, 0), 0);
}

TEST_F(ConnectionTest, ABatchGivesOneResultForEachStatement) {
  connection_.exec("CREATE TABLE t (a int PRIMARY KEY)");
  connection_.prepare("add", "INSERT INTO t VALUES ($1)");
  Batch batch(connection_);
  for (int i = 0; i < 1000; ++i) batch.add_prepared("add", {std::to_string(i)});
  for (int i = 0; i < 500; ++i) batch.add_cached("SELECT $1::int", {std::to_string(i)});
  batch.add("SELECT count(*) FROM t", {});
  const std::vector<Result> results = batch.run();
  ASSERT_EQ(results.size(), 1501u);
  EXPECT_EQ(results[0].command_tag(), "INSERT 0 1");
  EXPECT_EQ(results[1007].integer(0, 0), 7);
  EXPECT_EQ(results[1500].integer(0, 0), 1000);
  EXPECT_EQ(batch.size(), 0u);
  EXPECT_TRUE(batch.run().empty());
}

TEST_F(ConnectionTest, ABatchWithManyDifferentStatementsFitsTheCache) {
  Batch batch(connection_);
  for (int i = 0; i < 400; ++i) batch.add_cached("SELECT " + std::to_string(i), {});
  const std::vector<Result> results = batch.run();
  for (int i = 0; i < 400; ++i) EXPECT_EQ(results[static_cast<std::size_t>(i)].integer(0, 0), i);
}

TEST_F(ConnectionTest, AFailedBatchNamesTheStatementAndDoesNothing) {
  connection_.exec("CREATE TABLE t (a int PRIMARY KEY)");
  Batch batch(connection_);
  for (const char* value : {"1", "2", "1", "3"}) batch.add("INSERT INTO t VALUES ($1)", {value});
  try {
    batch.run();
    FAIL();
  } catch (const ServerError& error) {
    EXPECT_EQ(error.fields().statement_index, 2u);
    EXPECT_EQ(error.code(), ErrorCode::kConstraint);
    EXPECT_EQ(error.fields().constraint, "t_pkey");
  }
  EXPECT_EQ(connection_.exec("SELECT count(*) FROM t").integer(0, 0), 0);
  // A parameter that cannot be sent is found before anything was.
  batch.add("INSERT INTO t VALUES ($1)", {"1"});
  batch.add("INSERT INTO t VALUES ($1)", {std::string("\0", 1)});
  EXPECT_EQ(code_of([&] { batch.run(); }), ErrorCode::kInvalidInput);
  EXPECT_EQ(connection_.exec("SELECT count(*) FROM t").integer(0, 0), 0);
}

TEST_F(ConnectionTest, ADeferredConstraintFailsTheBatchAtItsEnd) {
  connection_.exec("CREATE TABLE t (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)");
  Batch batch(connection_);
  batch.add("INSERT INTO t VALUES (1)", {});
  batch.add("INSERT INTO t VALUES (1)", {});
  EXPECT_EQ(code_of([&] { batch.run(); }), ErrorCode::kConstraint);
  EXPECT_EQ(connection_.exec("SELECT count(*) FROM t").integer(0, 0), 0);
}

TEST_F(ConnectionTest, ABatchWithLargeResultsBothWaysDoesNotBlock) {
  Batch batch(connection_);
  const std::string large(200'000, 'x');
  for (int i = 0; i < 100; ++i) batch.add("SELECT $1::text", {large});
  for (const Result& result : batch.run()) EXPECT_EQ(result.text(0, 0).size(), large.size());
}

TEST_F(ConnectionTest, StreamsRowsAndCanBeLeftEarly) {
  {
    RowStream stream(connection_, "SELECT i, nullif(i % 3, 0) FROM generate_series(1, $1::int) i",
                     std::vector<Parameter>{"10000"});
    EXPECT_EQ(stream.columns().at(0).name, "i");
    std::int64_t rows = 0, nulls = 0;
    while (stream.next()) {
      ++rows;
      if (!stream.row()[1]) ++nulls;
      EXPECT_EQ(*stream.row()[0], std::to_string(rows));
    }
    EXPECT_EQ(rows, 10000);
    EXPECT_EQ(nulls, 3333);
    EXPECT_FALSE(stream.next());
    EXPECT_EQ(stream.command_tag(), "SELECT 10000");
  }
  {
    RowStream endless(connection_, "SELECT generate_series(1, 1000000000000)");
    EXPECT_TRUE(endless.next());
    EXPECT_EQ(code_of([&] { connection_.exec("SELECT 1"); }), ErrorCode::kInternal);
  }
  EXPECT_EQ(connection_.exec("SELECT 1").integer(0, 0), 1);
  RowStream empty(connection_, "SELECT 1 AS one WHERE false");
  EXPECT_EQ(empty.columns().at(0).name, "one");
  EXPECT_FALSE(empty.next());
}

TEST_F(ConnectionTest, AStreamMayFailAfterSomeRows) {
  {
    RowStream stream(connection_, "SELECT 10 / (5 - i) FROM generate_series(1, 9) i");
    EXPECT_EQ(code_of([&] {
                while (stream.next()) {
                }
              }),
              ErrorCode::kInvalidInput);
  }
  EXPECT_EQ(code_of([&] { RowStream(connection_, "SELECT nothing"); }), ErrorCode::kNotFound);
  EXPECT_EQ(code_of([&] { RowStream(connection_, "COPY (SELECT 1) TO STDOUT"); }),
            ErrorCode::kUnsupported);
  EXPECT_EQ(connection_.exec("SELECT 1").integer(0, 0), 1);
}

TEST_F(ConnectionTest, ACursorLeavesTheConnectionFreeBetweenBlocks) {
  Transaction transaction(connection_);
  {
    Cursor cursor(connection_, "SELECT i FROM generate_series(1, $1::int) i",
                  std::vector<Parameter>{"5000"});
    std::int64_t rows = 0;
    for (Result block = cursor.fetch(2000); block.rows() > 0; block = cursor.fetch(2000)) {
      rows += block.rows();
      EXPECT_EQ(connection_.exec("SELECT 1").integer(0, 0), 1);
    }
    EXPECT_EQ(rows, 5000);
  }
  Cursor again(connection_, "SELECT 1");
  EXPECT_EQ(again.fetch().rows(), 1);
}

TEST_F(ConnectionTest, NoticesReachTheHandlerAndItsExceptionsReachTheCaller) {
  std::vector<Notice> seen;
  connection_.on_notice([&](const Notice& notice) { seen.push_back(notice); });
  connection_.exec("DO $$ BEGIN RAISE WARNING 'careful' USING HINT = 'slowly'; END $$");
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].severity, "WARNING");
  EXPECT_EQ(seen[0].message, "careful");
  EXPECT_EQ(seen[0].hint, "slowly");
  connection_.on_notice([](const Notice&) { throw std::runtime_error("from the handler"); });
  EXPECT_THROW(connection_.exec("DO $$ BEGIN RAISE NOTICE 'x'; END $$"), std::runtime_error);
  connection_.on_notice({});
  EXPECT_EQ(connection_.exec("SELECT 1").integer(0, 0), 1);
}

TEST_F(ConnectionTest, CancelComesFromAnotherThread) {
  std::thread canceller([&] {
    std::this_thread::sleep_for(50ms);
    EXPECT_TRUE(connection_.cancel());
  });
  EXPECT_EQ(code_of([&] { connection_.exec("SELECT pg_sleep(60)"); }), ErrorCode::kInterrupted);
  canceller.join();
  EXPECT_TRUE(connection_.cancel());  // nothing runs: nothing happens
  EXPECT_EQ(connection_.exec("SELECT 1").integer(0, 0), 1);
}

TEST_F(ConnectionTest, ALostConnectionIsUnavailableAndKnown) {
  EXPECT_TRUE(connection_.is_alive());
  terminate(connection_);
  // The session is gone from the server's lists a moment before its socket closes.
  for (int i = 0; i < 200 && connection_.is_alive(); ++i) std::this_thread::sleep_for(5ms);
  EXPECT_FALSE(connection_.is_alive());
  EXPECT_EQ(code_of([&] { connection_.exec("SELECT 1"); }), ErrorCode::kUnavailable);
  EXPECT_EQ(code_of([&] { connection_.exec("SELECT 1"); }), ErrorCode::kUnavailable);
  EXPECT_EQ(connection_.open_another().exec("SELECT 1").integer(0, 0), 1);
}

TEST_F(ConnectionTest, ALossDuringABatchOrStreamIsUnavailable) {
  Batch batch(connection_);
  batch.add("SELECT 1", {});
  batch.add("SELECT pg_terminate_backend(pg_backend_pid())", {});
  batch.add("SELECT 2", {});
  EXPECT_EQ(code_of([&] { batch.run(); }), ErrorCode::kUnavailable);
  Connection second = database_.connect();
  EXPECT_EQ(code_of([&] {
              RowStream stream(second,
                               "SELECT CASE i WHEN 5000 THEN pg_terminate_backend(pg_backend_pid())"
                               " END FROM generate_series(1, 1000000) i");
              while (stream.next()) {
              }
            }),
            ErrorCode::kUnavailable);
  EXPECT_EQ(code_of([&] { second.exec("SELECT 1"); }), ErrorCode::kUnavailable);
  Connection third = database_.connect();
  Transaction transaction(third);
  terminate(third);
  try {
    transaction.commit();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
  }
}

TEST_F(ConnectionTest, CopyStatementsSentAsQueriesAreRefusedAndCleanedUp) {
  connection_.exec("CREATE TABLE t (a int)");
  EXPECT_EQ(code_of([&] { connection_.exec("COPY t FROM STDIN"); }), ErrorCode::kUnsupported);
  EXPECT_EQ(
      code_of([&] { connection_.exec("COPY (SELECT generate_series(1, 1000000000)) TO STDOUT"); }),
      ErrorCode::kUnsupported);
  EXPECT_EQ(connection_.exec("SELECT count(*) FROM t").integer(0, 0), 0);
}

TEST_F(ConnectionTest, ARoleIsSetAndKept) {
  const std::string role = database_.name() + " \"odd\"";
  connection_.exec("CREATE ROLE " + quote_identifier(role));
  // Needed where we are no superuser.
  connection_.exec("GRANT " + quote_identifier(role) + " TO CURRENT_USER");
  {
    Connection restricted = Connection::connect(database_.conninfo(), role);
    EXPECT_EQ(restricted.exec("SELECT current_user").text(0, 0), role);
    EXPECT_EQ(code_of([&] { restricted.exec("CREATE SCHEMA s"); }), ErrorCode::kRefused);
    EXPECT_EQ(restricted.open_another().exec("SELECT current_user").text(0, 0), role);
  }
  connection_.exec("DROP ROLE " + quote_identifier(role));
}

TEST_F(ConnectionTest, FailuresToConnectSayWhy) {
  const auto connect = [](const std::string& conninfo) {
    return code_of([&] { Connection::connect(conninfo); });
  };
  EXPECT_EQ(connect(with_options(database_.conninfo(), {{"dbname", "no such database"}})),
            ErrorCode::kNotFound);
  EXPECT_EQ(connect(with_options(database_.conninfo(), {{"user", "nobody_knows"}})),
            ErrorCode::kRefused);
  EXPECT_EQ(connect("host=/nowhere user=x dbname=y"), ErrorCode::kUnavailable);
  EXPECT_EQ(connect("host=127.0.0.1 port=1 user=x dbname=y"), ErrorCode::kUnavailable);
  try {
    Connection::connect("postgresql://user:hidden@[::1/");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_EQ((error.message() + error.hint()).find("hidden"), std::string::npos);
  }
}

TEST_F(ConnectionTest, TheProbeTellsWhatTheServerCanDo) {
  const ServerFacts facts = probe(connection_);
  EXPECT_GE(facts.version_number, 130000);
  EXPECT_EQ(facts.database, database_.name());
  EXPECT_EQ(facts.encoding, "UTF8");
  EXPECT_TRUE(facts.may_create_database);
  EXPECT_TRUE(facts.may_create_schema);
  EXPECT_FALSE(facts.in_recovery);
  EXPECT_GT(facts.max_connections, 0);
  EXPECT_GT(facts.used_connections, 0);
  if (!TestServer::shared().is_external()) {
    EXPECT_TRUE(facts.is_superuser && facts.may_create_role && facts.data_checksums && facts.local);
    EXPECT_FALSE(facts.encrypted);
  }
  EXPECT_NO_THROW(check_usable(facts));
  ServerFacts old = facts;
  old.version_number = 120011;
  EXPECT_EQ(code_of([&] { check_usable(old); }), ErrorCode::kUnsupported);
  ServerFacts standby = facts;
  standby.in_recovery = true;
  EXPECT_EQ(code_of([&] { check_usable(standby); }), ErrorCode::kRefused);
  ServerFacts latin = facts;
  latin.encoding = "LATIN1";
  EXPECT_EQ(code_of([&] { check_usable(latin); }), ErrorCode::kUnsupported);
  ServerFacts poor = facts;
  poor.may_create_schema = false;
  EXPECT_EQ(code_of([&] { check_usable(poor); }), ErrorCode::kRefused);
}

}  // namespace
}  // namespace coppice::pg
