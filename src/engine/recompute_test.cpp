// Errors, recompute and lineage on a real server.
#include <nlohmann/json.hpp>

#include "engine/versions_fixture.h"

namespace coppice::engine {
namespace {

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
