#include <gtest/gtest.h>

#include "pg/connection.h"
#include "pg/test_server.h"
#include "pg/transaction.h"

namespace coppice::pg {
namespace {

struct Case {
  const char* sql;
  const char* sqlstate;
  ErrorCode code;
};

TEST(ServerErrors, HaveTheCodeOfTheirCause) {
  const TestDatabase database;
  Connection connection = database.connect();
  connection.exec("CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL CHECK (n > 0))");
  connection.exec("INSERT INTO t VALUES (1, 1)");
  const Case cases[] = {
      {"SELEC 1", "42601", ErrorCode::kSyntax},
      {"SELECT * FROM missing", "42P01", ErrorCode::kNotFound},
      {"SELECT missing FROM t", "42703", ErrorCode::kNotFound},
      {"SELECT missing(1)", "42883", ErrorCode::kNotFound},
      {"SELECT 1::missing", "42704", ErrorCode::kNotFound},
      {"SELECT * FROM missing.t", "42P01", ErrorCode::kNotFound},
      {"CREATE TABLE missing.t (a int)", "3F000", ErrorCode::kNotFound},
      {"INSERT INTO t VALUES ('x', 1)", "22P02", ErrorCode::kInvalidInput},
      {"UPDATE t SET n = now()", "42804", ErrorCode::kType},
      {"SELECT true::date", "42846", ErrorCode::kType},
      {"SELECT 1 / 0", "22012", ErrorCode::kInvalidInput},
      {"INSERT INTO t VALUES (1, 1)", "23505", ErrorCode::kConstraint},
      {"INSERT INTO t VALUES (2, 0)", "23514", ErrorCode::kConstraint},
      {"INSERT INTO t VALUES (2, NULL)", "23502", ErrorCode::kConstraint},
      {"CREATE TABLE t (a int)", "42P07", ErrorCode::kAlreadyExists},
      {"CREATE SCHEMA public", "42P06", ErrorCode::kAlreadyExists},
      {"SET statement_timeout = 1; SELECT pg_sleep(9)", "57014", ErrorCode::kInterrupted},
      {"DO $$ BEGIN RAISE 'use coppice sql'; END $$", "P0001", ErrorCode::kRefused},
      {"DO $$ BEGIN RAISE SQLSTATE '53100'; END $$", "53100", ErrorCode::kDiskFull},
      {"DO $$ BEGIN RAISE SQLSTATE '57P03'; END $$", "57P03", ErrorCode::kUnavailable},
      {"DO $$ BEGIN RAISE SQLSTATE '08006'; END $$", "08006", ErrorCode::kUnavailable},
      {"DO $$ BEGIN RAISE SQLSTATE 'XX001'; END $$", "XX001", ErrorCode::kIntegrity},
      {"VACUUM; SELECT 1", "25001", ErrorCode::kInternal},
  };
  for (const Case& one : cases) {
    try {
      connection.exec(one.sql);
      ADD_FAILURE() << one.sql << " did not fail";
    } catch (const ServerError& error) {
      EXPECT_EQ(error.sqlstate(), one.sqlstate) << one.sql;
      EXPECT_EQ(code_name(error.code()), code_name(one.code)) << one.sql;
      EXPECT_FALSE(error.fields().primary.empty());
    }
    connection.exec("RESET statement_timeout");
  }
}

TEST(ServerErrors, CarryEverythingTheServerSaid) {
  const TestDatabase database;
  Connection connection = database.connect();
  connection.exec("CREATE SCHEMA s; CREATE TABLE s.t (id int CONSTRAINT key PRIMARY KEY)");
  connection.exec("INSERT INTO s.t VALUES (7)");
  try {
    connection.exec("INSERT INTO s.t VALUES (7)");
    FAIL();
  } catch (const ServerError& error) {
    EXPECT_EQ(error.fields().schema, "s");
    EXPECT_EQ(error.fields().table, "t");
    EXPECT_EQ(error.fields().constraint, "key");
    EXPECT_EQ(error.fields().detail, "Key (id)=(7) already exists.");
    EXPECT_NE(error.message().find("(7)"), std::string::npos);
    EXPECT_EQ(error.fields().position, 0);
  }
  try {
    connection.exec("SELECT 'ü', idd FROM s.t");
    FAIL();
  } catch (const ServerError& error) {
    EXPECT_EQ(error.fields().position, 13);  // characters, not bytes
    EXPECT_NE(error.hint().find("id"), std::string::npos);
  }
  try {
    connection.exec("DO $$ BEGIN PERFORM 1 / 0; END $$");
    FAIL();
  } catch (const ServerError& error) {
    EXPECT_NE(error.fields().context.find("PL/pgSQL"), std::string::npos);
  }
}

TEST(ServerErrors, ASerializationFailureIsRetryable) {
  const TestDatabase database;
  Connection first = database.connect();
  Connection second = database.connect();
  first.exec("CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
  Transaction one(first, TransactionMode::kRepeatableRead);
  first.exec("SELECT * FROM t");
  second.exec("UPDATE t SET a = 2");
  try {
    first.exec("UPDATE t SET a = 3");
    FAIL();
  } catch (const ServerError& error) {
    EXPECT_TRUE(is_retryable(error));
    EXPECT_EQ(error.code(), ErrorCode::kConflict);
    EXPECT_FALSE(error.hint().empty());
  }
}

}  // namespace
}  // namespace coppice::pg
