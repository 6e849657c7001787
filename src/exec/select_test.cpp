#include "exec/select.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "exec/select_fixture.h"
#include "sql/parse.h"

namespace coppice::exec {
namespace {

using testing::Lines;
using testing::LineSink;
using testing::SelectTest;

#define EXPECT_CONTAINS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST_F(SelectTest, StreamsASelectList) {
  EXPECT_EQ(run("SELECT id, width(poster), resize(poster, 7) AS small, title FROM film ORDER BY id "
                "LIMIT 2"),
            (Lines{"1|9|alpha.jpg-7x0|Street", "2|10|banana.jpg-7x0|Dawn"}));
  EXPECT_EQ(header_, "id bigint|width bigint|small image|title text");
  EXPECT_EQ(pool_.calls, 4U);
}

TEST_F(SelectTest, GivesWhatPostgresqlWouldGive) {
  for (
      const char* const text : {
          "SELECT *, width(poster) FROM film",
          "SELECT f.*, s.img, width(s.img) FROM film f JOIN shot s ON s.film_id = f.id",
          "SELECT id FROM film WHERE width(poster) > 9",
          "SELECT id FROM film WHERE width(poster) > 9 AND height(still) = 1 AND id < 4",
          "SELECT id, height(img) + 1 AS h FROM shot WHERE width(img) % 2 = 0 ORDER BY id DESC",
          "SELECT id FROM shot WHERE width(img) % 2 = 0 ORDER BY id LIMIT 3 OFFSET 2",
          "SELECT id FROM shot WHERE width(img) % 2 = 0 ORDER BY film_id, id OFFSET 20",
          "SELECT count(*), max(id) FROM shot WHERE height(img) > 1",
          "SELECT film_id, count(*) FROM shot WHERE height(img) > 1 GROUP BY film_id",
          "SELECT film_id AS f, count(*) FROM shot s WHERE height(img) > 1 GROUP BY 1 HAVING "
          "count(*) > 1 ORDER BY f",
          "SELECT f.title, count(*) FROM film f LEFT JOIN shot s ON s.film_id = f.id WHERE "
          "coalesce(height(s.img), 2) > 1 GROUP BY f.title ORDER BY 2 DESC, f.title",
          "SELECT id, rank() OVER (ORDER BY film_id) FROM shot WHERE height(img) > 1",
          "SELECT id, width(img), rank() OVER (ORDER BY film_id) FROM shot",
          "SELECT DISTINCT height(img) FROM shot",
          "SELECT DISTINCT height(img) AS h FROM shot ORDER BY h DESC",
          "SELECT DISTINCT ON (film_id) film_id, id, width(img) FROM shot ORDER BY film_id, id "
          "DESC",
          "SELECT DISTINCT film_id FROM shot WHERE width(img) > 10",
          "SELECT id, width(img) AS w FROM shot ORDER BY w DESC, id LIMIT 5",
          "SELECT id, width(img) FROM shot ORDER BY 2 NULLS FIRST, 1",
          "SELECT id, width(img) + 0 FROM shot ORDER BY width(img) + 0 DESC, id",
          "SELECT width(max(img)), count(*) FROM shot",
          "SELECT film_id, width(max(img)) + count(*) FROM shot GROUP BY film_id",
          "SELECT lower(title), width(min(poster)) || lower(title) FROM film GROUP BY lower(title)",
          "SELECT s.w, count(*) FROM (SELECT width(img) AS w FROM shot) s GROUP BY s.w",
          "SELECT w, count(*) FROM (SELECT width(img) AS w FROM shot) s GROUP BY 1",
          "SELECT id, resize(img, id::int) FROM shot ORDER BY id DESC",
          "SELECT resize(img, id::int), film_id::text || 'x' FROM shot ORDER BY film_id, id",
          "SELECT avg(w), max(h) FROM (SELECT width(img) AS w, height(img) h FROM shot) s",
          "SELECT * FROM (SELECT id, width(img) AS w FROM shot) s WHERE w > 8 AND id > 3",
          "SELECT id FROM (SELECT id, width(img) AS w FROM shot) s",
          "SELECT x.id, y.w FROM (SELECT id FROM film) x JOIN (SELECT film_id AS id, width(img) w "
          "FROM shot WHERE height(img) > 1) y USING (id)",
          "SELECT x.id, y.w FROM film x LEFT JOIN (SELECT film_id AS id, width(img) w FROM shot) y "
          "ON x.id = y.id WHERE y.w IS NULL OR y.w > 9",
          "WITH w AS (SELECT id, width(img) AS w FROM shot) SELECT * FROM w WHERE w > 9",
          "WITH w AS (SELECT id, width(img) AS w FROM shot) SELECT a.id FROM w a, w b WHERE a.w < "
          "b.w AND b.id = 3",
          "WITH u AS (SELECT 9 AS low), w(i, x) AS (SELECT id, width(img) FROM shot, u WHERE "
          "width(img) > low) SELECT i FROM w",
          "WITH unread AS (SELECT width('bad'::image)), w AS (SELECT id FROM film) SELECT id, "
          "width(poster) FROM w JOIN film USING (id)",
          "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i, "
          "resize('a.jpg'::image, i) FROM n",
          "SELECT width(poster) FROM film UNION SELECT height(img) FROM shot ORDER BY 1",
          "SELECT id, width(poster) FROM film UNION ALL (SELECT id, 0 FROM shot ORDER BY id LIMIT "
          "2)",
          "SELECT w FROM (SELECT width(poster) AS w FROM film EXCEPT SELECT 9) u",
          "SELECT width('abc'::image), 1 AS one",
          "SELECT 1 WHERE width('abc'::image) = 3",
          "SELECT CASE WHEN id % 2 = 0 THEN width(img) ELSE -id END FROM shot",
          "SELECT id, seconds, duration(clip) - seconds FROM film WHERE duration(clip) > 2",
          "SELECT mime_type(poster), metadata(poster)->'name' FROM film",
          "SELECT id, unnest(tags), width(poster) FROM film",
          "SELECT g, width(('x' || g)::image) FROM generate_series(8, 11) AS g",
          "SELECT j.key, width(j.value::image) FROM json_each_text('{\"a\": \"bcd\"}') AS j",
          "SELECT nspname, width(nspname::image) FROM pg_namespace WHERE nspname = 'public'",
          "SELECT id FROM film WHERE width(poster) > 5 AND EXISTS (SELECT 1 FROM shot WHERE "
          "film_id "
          "= film.id)",
          "SELECT id, (SELECT count(*) FROM shot WHERE film_id = film.id) + width(poster) FROM "
          "film",
          "SELECT id FROM film WHERE width(poster) > (SELECT min(film_id) FROM shot)",
          "SELECT s.n FROM (SELECT DISTINCT title AS n, width(poster) AS w FROM film) s WHERE w > "
          "8",
          "SELECT * FROM (SELECT id, width(img) w FROM shot ORDER BY id LIMIT 7) s WHERE w > 9",
          "SELECT * FROM (SELECT * FROM (SELECT id AS a, width(img) AS b FROM shot) t WHERE b > 9) "
          "u "
          "(c, d) WHERE c > 4",
          "SELECT count(*) FROM (SELECT width(img) FROM shot) s",
          "SELECT count(s) FROM (SELECT id, width(img) w FROM shot) s",
          "SELECT title COLLATE \"C\" AS t, width(poster) AS w FROM film ORDER BY w, title COLLATE "
          "\"C\"",
          "SELECT DISTINCT width(poster) FROM film WHERE title LIKE '%a%'",
          "SELECT film_id, id FROM shot WHERE width(img) > 8 ORDER BY film_id FETCH FIRST 2 ROWS "
          "WITH "
          "TIES",
          "SELECT frame_at(clip, 1.5), frame_at(clip, id) FROM film",
          "SELECT width(resize(poster, 5 + width(poster) / 2)) FROM film WHERE "
          "width(resize(still, 3)) > 6",
          "SELECT film.id, sum(shot.id) FROM film NATURAL JOIN shot WHERE width(img) > 3 GROUP BY "
          "film.id",
          "SELECT public.film.title, count(*) FROM public.film WHERE width(poster) > 3 GROUP BY "
          "public.film.title",
      }) {
    expect_same(text);
  }
}

TEST_F(SelectTest, ReadingAViewCostsWhatReadingItsTableWould) {
  const std::string view = "(SELECT id, film_id, width(img) AS w, height(img) AS h FROM shot)";
  run("SELECT * FROM " + view + " v WHERE id = 3");
  EXPECT_EQ(pool_.calls, 2U);
  pool_.calls = 0;
  run("SELECT id FROM " + view + " v");
  EXPECT_EQ(pool_.calls, 0U);
  run("SELECT film_id, max(w) FROM " + view + " v WHERE id < 4 GROUP BY film_id");
  EXPECT_EQ(pool_.calls, 3U);
  pool_.calls = 0;
  EXPECT_EQ(run("SELECT * FROM " + view + " v LIMIT 4").size(), 4U);
  EXPECT_EQ(pool_.calls, 8U);
  pool_.calls = 0;
  run("WITH v AS " + view + " SELECT w FROM v WHERE id = 2");
  EXPECT_EQ(pool_.calls, 1U);
  pool_.calls = 0;
  run("SELECT film.id, w FROM film JOIN " + view + " v ON v.film_id = film.id WHERE v.id < 3");
  EXPECT_EQ(pool_.calls, 2U);
}

TEST_F(SelectTest, ComputesTheSelectListForSurvivingRowsOnly) {
  run("SELECT height(img) FROM shot WHERE width(img) = 10");
  const auto survivors = static_cast<std::size_t>(std::count_if(
      pool_.seen.begin(), pool_.seen.end(), [](auto& s) { return s == "height($0)"; }));
  EXPECT_EQ(survivors, 1U);
  EXPECT_LT(pool_.calls, 60U);
  EXPECT_EQ(run("SELECT 10 / (id - 1) FROM shot WHERE width(img) > 3 AND id > 35").size(), 5U);
}

TEST_F(SelectTest, LimitStopsEarly) {
  EXPECT_EQ(run("SELECT id FROM shot WHERE width(img) > 3 LIMIT 2", {.batch_rows = 256, .stop = {}})
                .size(),
            2U);
  EXPECT_LE(pool_.calls, 16U);
  pool_.calls = 0;
  EXPECT_TRUE(run("SELECT id FROM shot WHERE width(img) > 3 LIMIT 0").empty());
  EXPECT_EQ(pool_.calls, 0U);
  EXPECT_CONTAINS(error_of("SELECT id FROM shot WHERE width(img) > 3 LIMIT -1"),
                  "LIMIT must not be negative");
}

TEST_F(SelectTest, SmallBatchesGiveTheSame) {
  const std::string text = "SELECT id, height(img) FROM shot WHERE width(img) % 2 = 0 ORDER BY id";
  const Lines whole = run(text);
  EXPECT_EQ(run(text, {.batch_rows = 3, .stop = {}}), whole);
  EXPECT_EQ(run(text, {.batch_rows = 1, .stop = {}}), whole);
}

TEST_F(SelectTest, SaysWhichRowFailedAndWhy) {
  const std::string failed =
      error_of("SELECT title, width(resize(('bad' || id)::image, 3)) FROM film WHERE id = 4");
  EXPECT_CONTAINS(failed, "failed for the row with id = 4: cannot decode bad4 (decode)");
  EXPECT_CONTAINS(failed, "width(resize(");
  EXPECT_CONTAINS(error_of("SELECT 100 / (width(poster) - 9) FROM film"), "division by zero");
  EXPECT_CONTAINS(error_of("SELECT id FROM film WHERE width(('bad' || id)::image) > 3"),
                  "id = 1: cannot decode bad1");
  EXPECT_EQ(run("SELECT id FROM film WHERE width(('bad' || id)::image) > 3 AND width(poster) > 100")
                .size(),
            0U);
}

TEST_F(SelectTest, TypeErrorsHaveTheUsersPlace) {
  const std::string operator_error = error_of("SELECT id,\n  width(poster) + title FROM film");
  EXPECT_CONTAINS(operator_error, "operator does not exist: bigint + text");
  EXPECT_CONTAINS(operator_error, "line 2, column 17");
  const std::string column_error = error_of("SELECT width(poster), missing FROM film");
  EXPECT_CONTAINS(column_error, "column \"missing\" does not exist");
  EXPECT_CONTAINS(column_error, "line 1, column 23");
  EXPECT_CONTAINS(error_of("SELECT width(poster), widht(still) FROM film"),
                  "did you mean \"width\"");
  EXPECT_CONTAINS(error_of("SELECT height(width(poster)) FROM film"),
                  "The engine function is height(image), height(video).");
}

TEST_F(SelectTest, GroupingByAnEngineResultSaysWhatToWrite) {
  for (const char* const text : {"SELECT width(poster) AS w, count(*) FROM film GROUP BY w",
                                 "SELECT width(poster), count(*) FROM film GROUP BY 1"}) {
    EXPECT_CONTAINS(error_of(text), "cannot stand in GROUP BY");
    EXPECT_CONTAINS(error_of(text), "GROUP BY width");
  }
}

TEST_F(SelectTest, ParametersAreBoundByValue) {
  sql::Statement statement = bind(
      "SELECT resize(poster, $1), $2 AS t FROM film WHERE id = $3 AND "
      "width(poster) > $1",
      {"3", "it's", "1"});
  EXPECT_EQ(run(statement), Lines{"alpha.jpg-3x0|it's"});
  EXPECT_THROW(bind("SELECT width(poster) + $1 FROM film"), Error);
}

TEST_F(SelectTest, RunsAgain) {
  sql::Statement statement = bind(
      "SELECT w FROM (SELECT DISTINCT width(poster) AS w FROM film) s "
      "WHERE w > 9 ORDER BY w");
  PreparedSelect select(session(), statement.arena(),
                        *sql::as<PgQuery__SelectStmt>(statement.node()), statement.source());
  for (int i = 0; i < 2; ++i) {
    LineSink sink;
    select.run(sink);
    EXPECT_EQ(sink.lines, (Lines{"10", "12"}));
  }
}

TEST_F(SelectTest, StopsAndLeavesTheConnectionUsable) {
  std::stop_source stop;
  stop.request_stop();
  try {
    run("SELECT width(img) FROM shot", {.batch_rows = 5, .stop = stop.get_token()});
    FAIL() << "it went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
  }
  EXPECT_FALSE(database_->connection.in_transaction());
  EXPECT_EQ(run("SELECT width(img) FROM shot LIMIT 1").size(), 1U);
}

TEST_F(SelectTest, ExplainsWhatGoesWhere) {
  run("SELECT id, height(poster) + 1 FROM film WHERE width(poster) > 9 AND id < 100 ORDER BY id");
  EXPECT_EQ(explained_,
            "PostgreSQL: SELECT poster, id FROM film WHERE id < 100 ORDER BY id\n"
            "function workers: width(poster)\n"
            "PostgreSQL, on batches: width(poster) > 9\n"
            "keep rows where width(poster) > 9\n"
            "function workers: height(poster)\n"
            "PostgreSQL, on batches: height(poster) + 1\n");
}

}  // namespace
}  // namespace coppice::exec
