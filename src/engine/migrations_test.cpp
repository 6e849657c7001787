// A catalog of every older format becomes one of this program's, and no other is touched.
#include "engine/migrations.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "engine/test_context.h"
#include "pg/test_server.h"

namespace coppice::engine {
namespace {

class Migrations : public ::testing::Test {
 protected:
  // As the program of that format left it.
  void create_format(int format) {
    for (int i = 1; i <= format; ++i) connection_.exec(std::string(catalog::schema_text(i)));
    connection_.exec_params("INSERT INTO coppice.meta VALUES ('format', $1)",
                            {std::to_string(format)});
  }
  // Names and types of every column of the catalog.
  static std::string shape(pg::Connection& connection) {
    return std::string(
        connection
            .exec("SELECT string_agg(concat_ws(' ', table_name, column_name, data_type), E'\\n' "
                  "ORDER BY table_name, column_name) FROM information_schema.columns "
                  "WHERE table_schema = 'coppice'")
            .text(0, 0));
  }

  pg::TestDatabase database_;
  pg::Connection connection_ = database_.connect();
};

TEST_F(Migrations, EveryOlderFormatBecomesThatOfAFreshHome) {
  pg::TestDatabase fresh_database;
  pg::Connection fresh = fresh_database.connect();
  EXPECT_TRUE(migrate(fresh));
  create_format(1);
  adopt_reader(connection_);
  EXPECT_FALSE(is_up_to_date(connection_));
  EXPECT_TRUE(migrate(connection_));
  EXPECT_EQ(catalog_format(connection_), kCatalogFormat);
  EXPECT_EQ(shape(connection_), shape(fresh));
  // Its rights hold for what the newer format added, where the server let us make the role.
  if (reader_role_exists(connection_)) {
    const std::string may_read = "SELECT has_table_privilege($1, 'coppice.results', 'SELECT')";
    EXPECT_TRUE(connection_.exec_params(may_read, {std::string(kReaderRole)}).boolean(0, 0));
  }
  EXPECT_FALSE(migrate(connection_));
}

// What another program wrote into the database follows this one.
TEST(Triggers, AreRenewedWhenTheirFormIsAnother) {
  TestContext home;
  home.run("CREATE TABLE t (n int PRIMARY KEY, twice int GENERATED ALWAYS AS (n * 2) STORED)");
  pg::Connection& connection = home.context().main;
  connection.exec(
      "DO $$ BEGIN EXECUTE (SELECT format('CREATE OR REPLACE FUNCTION %s RETURNS trigger LANGUAGE "
      "plpgsql AS %L', oid::regprocedure, 'BEGIN NEW.' || (SELECT physical FROM coppice.columns "
      "WHERE name = 'twice') || ' := -1; RETURN NEW; END') FROM pg_proc WHERE proname LIKE "
      "'%compute' AND pronamespace = 'coppice_store'::regnamespace); END $$");
  home.run("INSERT INTO t (n) VALUES (1)");
  ASSERT_EQ(home.ask("SELECT twice FROM t"), std::vector<std::string>{"-1"});
  EXPECT_FALSE(migrate(connection));  // it is not looked at without a reason
  connection.exec("UPDATE coppice.meta SET value = 'of another program' WHERE key = 'stubs'");
  EXPECT_TRUE(migrate(connection));
  home.run("INSERT INTO t (n) VALUES (2); UPDATE t SET n = 3 WHERE n = 1");
  EXPECT_EQ(home.ask("SELECT n, twice FROM t ORDER BY n"),
            (std::vector<std::string>{"2|4", "3|6"}));
}

TEST_F(Migrations, ANewerFormatIsLeftAlone) {
  create_format(kCatalogFormat);
  connection_.exec_params("UPDATE coppice.meta SET value = $1 WHERE key = 'format'",
                          {std::to_string(kCatalogFormat + 1)});
  try {
    migrate(connection_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNewerFormat);
  }
  EXPECT_EQ(catalog_format(connection_), kCatalogFormat + 1);
}

TEST_F(Migrations, ACatalogWithoutAFormatIsNotGuessedAt) {
  create_format(1);
  connection_.exec("DELETE FROM coppice.meta");
  try {
    migrate(connection_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIntegrity);
  }
}

}  // namespace
}  // namespace coppice::engine
