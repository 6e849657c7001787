#include "pg/client_programs.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace coppice::pg {
namespace {

TEST(ClientPrograms, FindsThoseThatAreInstalled) {
  const auto found = find_client_programs("pg_dump");
  ASSERT_FALSE(found.empty());
  for (const ClientProgram& program : found) {
    EXPECT_GE(program.major, 13) << program.file;
    EXPECT_TRUE(program.version.starts_with(std::to_string(program.major))) << program.version;
  }
  EXPECT_TRUE(find_client_programs("pg_dump_of_nobody").empty());
}

TEST(ClientPrograms, TakesTheVersionOfTheServerOrTheNextNewer) {
  const std::vector<ClientProgram> found{{"a", 13, "13.2"}, {"b", 15, "15.1"}, {"c", 17, "17.4"}};
  EXPECT_EQ(choose_client_program(found, "pg_dump", 13).file, "a");
  EXPECT_EQ(choose_client_program(found, "pg_dump", 14).file, "b");
  EXPECT_EQ(choose_client_program(found, "pg_dump", 15).file, "b");
  EXPECT_EQ(choose_client_program(found, "pg_dump", 16).file, "c");
}

TEST(ClientPrograms, SaysWhatToInstall) {
  try {
    choose_client_program({{"a", 13, "13.2"}}, "pg_dump", 18);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_NE(error.hint().find("postgresql-client-18"), std::string::npos);
  }
  EXPECT_THROW(choose_client_program({}, "pg_restore", 15), Error);
}

}  // namespace
}  // namespace coppice::pg
