#include "pg/conninfo.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace coppice::pg {
namespace {

TEST(Conninfo, RoundTripsAndMasks) {
  const std::string text = format_conninfo({{"host", "/a b/it's\\"}, {"dbname", "d"}});
  EXPECT_EQ(parse_conninfo(text).at("host"), "/a b/it's\\");
  const std::string url = "postgresql://me:secret@db.example:5433/films?sslmode=require";
  EXPECT_EQ(parse_conninfo(url).at("port"), "5433");
  EXPECT_EQ(parse_conninfo(with_options(url, {{"dbname", "other"}})).at("dbname"), "other");
  EXPECT_EQ(masked_conninfo(url).find("secret"), std::string::npos);
  EXPECT_EQ(parse_conninfo(without_password(url)), (ConninfoOptions{{"user", "me"},
                                                                    {"host", "db.example"},
                                                                    {"port", "5433"},
                                                                    {"dbname", "films"},
                                                                    {"sslmode", "require"}}));
  EXPECT_EQ(without_password("postgresql:///films?host=/run"), "postgresql:///films?host=/run");
  EXPECT_EQ(quote_identifier("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(quote_literal("it's"), "'it''s'");
  EXPECT_EQ(quote_literal("a\\b"), "E'a\\\\b'");
  EXPECT_THROW(quote_identifier(std::string_view("\0", 1)), Error);
}

}  // namespace
}  // namespace coppice::pg
