#include "engine/schema_plan.h"

#include <gtest/gtest.h>

#include "engine/schema_file.h"
#include "engine/schema_text.h"

namespace coppice::engine {
namespace {

using Steps = std::vector<std::string>;

// "action object" of each step from one description to another.
Steps plan(const std::string& present, const std::string& wanted, bool prune = false) {
  const SchemaModel from = schema_in_file(present);
  const SchemaModel to = schema_in_file(wanted);
  Steps steps;
  for (const SchemaStep& step : plan_schema(to, from, prune).steps) {
    steps.push_back(step.action + " " + step.object);
  }
  return steps;
}

std::string failure(const std::string& text) {
  try {
    schema_in_file(text);
  } catch (const Error& error) {
    return std::string(code_name(error.code())) + ": " + error.message();
  }
  return "no error";
}

TEST(SchemaPlan, SpellingIsNoDifference) {
  EXPECT_EQ(plan("CREATE TABLE t (a int4, b float8, c varchar(3), d timestamptz, e bool, "
                 "f int GENERATED ALWAYS AS (a+1) STORED, CHECK (a>0))",
                 "CREATE TABLE public.t (a integer, b double precision, c character varying(3), "
                 "d timestamp with time zone, e boolean, "
                 "f integer GENERATED ALWAYS AS ( a + 1 ) STORED, CHECK ( a > 0 ));"),
            Steps());
}

TEST(SchemaPlan, AFileMayHaveAnyOrder) {
  const std::string text =
      "COMMENT ON TABLE s.t IS 'x'; CREATE VIEW s.b AS SELECT n FROM s.a; "
      "CREATE INDEX i ON s.t (n); ALTER TABLE s.t ADD CONSTRAINT k UNIQUE (n); "
      "CREATE VIEW s.a AS SELECT n FROM s.t; CREATE TABLE s.t (n int); CREATE SCHEMA s;";
  EXPECT_EQ(plan("", text), (Steps{"create schema s", "create table s.t", "create index i",
                                   "create view s.a", "create view s.b", "comment on s.t"}));
  EXPECT_EQ(plan(text, schema_text(schema_in_file(text)), true), Steps());
}

TEST(SchemaPlan, FunctionsComeBeforeTheTablesThatCallThemUnlessTheyReadTables) {
  const std::string functions =
      "CREATE FUNCTION twice(n int) RETURNS bigint LANGUAGE python AS 'f.py:f' SET batch = 8; ";
  const std::string late =
      "CREATE FUNCTION many() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM t'; ";
  const std::string table =
      "CREATE TABLE t (a bigint, b bigint GENERATED ALWAYS AS (twice(a)) STORED); ";
  EXPECT_EQ(plan("", table + late + functions),
            (Steps{"create function twice(n bigint)", "create table t", "create function many()"}));
  const std::string other =
      "CREATE OR REPLACE FUNCTION public.twice(n bigint) RETURNS bigint SET batch = '8' AS "
      "'f.py:f' LANGUAGE python VOLATILE; ";
  EXPECT_EQ(plan(functions, other), Steps{});
  EXPECT_EQ(plan(functions, ""), Steps{"keep twice(n bigint)"});
  EXPECT_EQ(plan(functions,
                 "CREATE FUNCTION twice(n bigint) RETURNS bigint LANGUAGE python "
                 "AS 'f.py:g' SET batch = 8"),
            Steps{"replace function twice(n bigint)"});
}

TEST(SchemaPlan, FillsComeInTheOrderOfWhatTheyRead) {
  EXPECT_EQ(
      plan("CREATE TABLE t (a int)",
           "CREATE TABLE t (c int GENERATED ALWAYS AS (b + 1) STORED UNIQUE, "
           "b int GENERATED ALWAYS AS (a + 1) STORED, a int, d int)"),
      (Steps{"add column t.d", "add column t.b", "add column t.c", "add constraint t t_c_key"}));
}

TEST(SchemaPlan, DropsAreStepsOnlyWithPrune) {
  const std::string present =
      "CREATE TABLE t (a int, b int, c int GENERATED ALWAYS AS (b + 1) STORED CHECK (c > 0)); "
      "CREATE TABLE u (n int); CREATE VIEW v AS SELECT b FROM t; CREATE INDEX i ON t (a);";
  const std::string wanted = "CREATE TABLE t (a int)";
  EXPECT_EQ(plan(present, wanted), (Steps{"keep t.c", "keep t.b", "keep i", "keep v", "keep u"}));
  EXPECT_EQ(plan(present, wanted, true), (Steps{"drop index i", "drop view v", "drop column t.c",
                                                "drop column t.b", "drop table u"}));
}

TEST(SchemaPlan, AChangedConstraintIsReplacedThoughItHasNoName) {
  EXPECT_EQ(plan("CREATE TABLE t (a int CONSTRAINT t_a_check CHECK (a > 1), "
                 "b int CONSTRAINT t_b_check CHECK (b > 1))",
                 "CREATE TABLE t (a int CHECK (a > 2), b int CHECK (b > 1))"),
            (Steps{"drop constraint t t_a_check", "add constraint t t_a_check"}));
}

TEST(SchemaPlan, WhatCannotBeChangedIsKeptAndTold) {
  const SchemaModel from = schema_in_file("CREATE TABLE t (a int)");
  const SchemaModel to = schema_in_file("CREATE TABLE t (a int GENERATED ALWAYS AS (1) STORED)");
  const SchemaPlan kept = plan_schema(to, from, false);
  EXPECT_FALSE(kept.changes());
  ASSERT_FALSE(kept.notices.empty());
  EXPECT_NE(kept.notices[0].find("--prune"), std::string::npos);
  EXPECT_EQ(
      plan("CREATE TABLE t (a int)", "CREATE TABLE t (a int GENERATED ALWAYS AS (1) STORED)", true),
      (Steps{"drop column t.a", "add column t.a"}));
}

TEST(SchemaPlan, ARenameIsPointedOut) {
  const SchemaModel from = schema_in_file("CREATE TABLE t (a int, b int)");
  const SchemaModel to = schema_in_file("CREATE TABLE t (a int, c int)");
  const SchemaPlan planned = plan_schema(to, from, false);
  ASSERT_FALSE(planned.notices.empty());
  EXPECT_NE(planned.notices[0].find("RENAME COLUMN"), std::string::npos);
}

TEST(SchemaFile, RefusesWhatDescribesNothingAtItsPlace) {
  EXPECT_EQ(failure("CREATE TABLE t (a int);\nINSERT INTO t VALUES (1)").substr(0, 65),
            "unsupported: INSERT does not describe a schema (line 2, column 1)");
  EXPECT_EQ(failure("COMMENT ON TABLE t IS 'x'").substr(0, 54),
            "not_found: table \"t\" is not described in this file (li");
  EXPECT_NE(failure("CREATE TABLE t (a int); CREATE VIEW t AS SELECT 1").find("twice"),
            std::string::npos);
  EXPECT_NE(failure("CREATE TABLE t (a int); ALTER TABLE t ADD UNIQUE (b)").find("\"b\""),
            std::string::npos);
  EXPECT_NE(failure("CREATE TABLE t (a int); ALTER TABLE t SET (retention = 'soon')").find("soon"),
            std::string::npos);
  EXPECT_NE(failure("CREATE TABLE t (a int); GRANT ALL ON t TO PUBLIC").find("granted"),
            std::string::npos);
  EXPECT_NE(failure("CREATE TABLE t (a int); DROP TABLE t").find("describe"), std::string::npos);
}

}  // namespace
}  // namespace coppice::engine
