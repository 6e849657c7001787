// A catalog of every older format becomes one of this program's, and no other is touched.
#include "engine/migrations.h"

#include <gtest/gtest.h>

#include "base/error.h"
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
