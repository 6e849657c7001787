#include "exec/binder.h"

#include <gtest/gtest.h>

#include "exec/stubs.h"
#include "exec/syntax.h"
#include "exec/test_support.h"
#include "sql/deparse.h"
#include "sql/parse.h"

namespace coppice::exec {
namespace {

using testing::FakeRelations;

class BinderTest : public ::testing::Test {
 protected:
  // The bound expression over the table film, as SQL.
  std::string bind(const std::string& text) {
    sql::Statement statement = sql::parse_expression(text);
    BindContext context{statement.arena(), functions_, relations_, statement.source()};
    const Scope scope = Scope::of_table("film", relations_.tables.at("film"));
    bind_expression(statement.root(), scope, context);
    engine_calls_ = context.engine_calls;
    literals_.clear();
    for (const MediaLiteral& literal : context.literals) {
      literals_.push_back(std::string(literal.literal->sval->sval) + " " +
                          std::string(catalog::media_kind_name(literal.kind)));
    }
    return sql::deparse_expression(statement.node());
  }

  std::string bind_query(const std::string& text) {
    sql::Statement statement = sql::parse_statement(text);
    BindContext context{statement.arena(), functions_, relations_, statement.source()};
    bind_select(*sql::as<PgQuery__SelectStmt>(statement.node()), context);
    engine_calls_ = context.engine_calls;
    return sql::deparse(statement.node());
  }

  template <class Callable>
  std::string error_of(Callable&& callable) {
    try {
      return "no error: " + callable();
    } catch (const Error& error) {
      return error.message() + " | " + error.hint();
    }
  }
  std::string bind_error(const std::string& text) {
    return error_of([&] { return bind(text); });
  }
  std::string query_error(const std::string& text) {
    return error_of([&] { return bind_query(text); });
  }

  FunctionTable functions_{builtin_signatures()};
  FakeRelations relations_ = testing::test_relations();
  int engine_calls_ = 0;
  std::vector<std::string> literals_;
};

#define EXPECT_CONTAINS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST_F(BinderTest, TellsOverloadsApartByTheKindOfAColumn) {
  EXPECT_EQ(bind("width(poster)"), "coppice.\"width(image)\"(poster::coppice.image)");
  EXPECT_EQ(bind("width(clip)"), "coppice.\"width(video)\"(clip::coppice.video)");
  EXPECT_EQ(engine_calls_, 1);
}

TEST_F(BinderTest, PutsNamedArgumentsAndDefaultsInOrder) {
  EXPECT_EQ(bind("resize(height => 7, image => poster, width => 3)"), bind("resize(poster, 3, 7)"));
  EXPECT_EQ(bind("resize(poster, 3)"), bind("resize(poster, 3, 0)"));
  EXPECT_EQ(bind("encode(poster, 'webp')"), bind("coppice.encode(poster, 'webp', quality => 85)"));
}

TEST_F(BinderTest, InfersKindsThroughSqlAndChains) {
  for (const char* const image :
       {"coalesce(poster, still)", "CASE WHEN id > 1 THEN poster ELSE still END",
        "greatest(poster, still)", "nullif(poster, still)", "max(poster)", "title::image",
        "resize(poster, 10)", "frame_at(clip, 1)", "(SELECT still FROM film f2 LIMIT 1)",
        "film.poster", "coalesce(poster, 'none.jpg')", "coalesce(NULL, poster)",
        "(SELECT s.img FROM shot s WHERE s.id = film.id)",
        "(WITH w AS (SELECT img FROM shot) SELECT img FROM w)",
        "(SELECT p FROM (SELECT poster AS p FROM film) q)", "(SELECT a FROM film AS x(i, t, c, a))",
        "first_value(poster) OVER (ORDER BY id)"}) {
    EXPECT_CONTAINS(bind(std::string("height(") + image + ")"), "\"height(image)\"");
  }
}

TEST_F(BinderTest, RefusesAnotherKindWithItsPlace) {
  const std::string plain = bind_error("1 + duration(poster)");
  EXPECT_CONTAINS(plain, "duration takes a video or an audio, but poster is an image");
  EXPECT_CONTAINS(plain, "line 1, column 14");
  for (const char* const argument : {"coalesce(clip, clip)", "CASE WHEN id > 1 THEN clip END",
                                     "max(clip)", "(SELECT clip FROM film LIMIT 1)"}) {
    const std::string message = bind_error(std::string("rotate(") + argument + ", 10)");
    EXPECT_CONTAINS(message, "rotate takes an image, but ");
    EXPECT_CONTAINS(message, "is a video");
  }
  EXPECT_CONTAINS(bind_error("rotate(coalesce(poster, clip), 10)"), "may be a video");
  EXPECT_CONTAINS(bind_error("rotate(title, 10)"), "rotate takes an image, but title is not");
  EXPECT_CONTAINS(bind_error("rotate(title, 10)"), "::image");
  EXPECT_CONTAINS(bind_error("resize(poster, still)"), "argument \"width\" of resize is bigint");
  EXPECT_CONTAINS(bind_error("frame_at(resize(poster, 3), 1)"),
                  "frame_at takes a video, but resize(poster, 3, 0) is an image");
}

TEST_F(BinderTest, ExplainsWrongArguments) {
  EXPECT_CONTAINS(bind_error("resize(poster)"),
                  "resize(image, width bigint, height bigint DEFAULT 0)");
  EXPECT_CONTAINS(bind_error("resize(poster, 1, 2, 3)"), "4 arguments");
  EXPECT_CONTAINS(bind_error("resize(poster, widht => 1)"), "did you mean \"width\"");
  EXPECT_CONTAINS(bind_error("resize(image => poster, 3)"), "positional");
  EXPECT_CONTAINS(bind_error("resize(DISTINCT poster, 3)"), "not an aggregate");
  EXPECT_CONTAINS(bind_error("coppice.resise(poster, 3)"), "did you mean \"resize\"");
  EXPECT_CONTAINS(bind_error("width('x.jpg'::text)"), "no error");
}

TEST_F(BinderTest, SaysWhatALiteralMayBeAndHowToSayWhich) {
  EXPECT_CONTAINS(bind_error("coppice.width('x.jpg')"),
                  "width takes an image or a video, and 'x.jpg' may be either");
  EXPECT_CONTAINS(bind_error("coppice.width('x.jpg')"),
                  "Say which: image 'x.jpg' or video 'x.jpg'.");
  EXPECT_CONTAINS(bind_error("resize('a.jpg', 10)"), "image 'a.jpg' or video 'a.jpg'");
  EXPECT_CONTAINS(bind_error("resize($1, 10)"), "($1)::image or ($1)::video");
  EXPECT_CONTAINS(bind_error("mime_type('x')"),
                  "mime_type takes an image, a video, an audio or a document, and 'x' may be any");
  for (const std::string image : {"image 'a.jpg'", "'a.jpg'::image", "image => 'a.jpg'"}) {
    EXPECT_CONTAINS(bind("resize(" + image + ", width => 10)"), "\"resize(image,bigint,bigint)\"");
  }
  EXPECT_CONTAINS(bind("resize(video 'a.mp4', 10)"), "\"resize(video,bigint,bigint)\"");
}

TEST_F(BinderTest, LeavesFunctionsOfPostgresqlAlone) {
  EXPECT_EQ(bind("encode('abc'::bytea, 'hex')"), "encode('abc'::bytea, 'hex')");
  EXPECT_EQ(engine_calls_, 0);
  EXPECT_EQ(bind("width('(1,1),(0,0)'::box)"), "width('(1,1),(0,0)'::box)");
  EXPECT_CONTAINS(bind("encode(poster, 'png')"), "encode(image,text,bigint)");
  EXPECT_EQ(bind("pg_catalog.sha256(title::bytea)"), "pg_catalog.sha256(title::bytea)");
}

TEST_F(BinderTest, ListsTheLiteralsThatNameMedia) {
  bind("rotate('a.jpg', 3)");
  EXPECT_EQ(literals_, std::vector<std::string>{"a.jpg image"});
  bind("width(coalesce(poster, 'b.jpg', CASE WHEN id = 1 THEN 'c.jpg' END))");
  EXPECT_EQ(literals_, (std::vector<std::string>{"b.jpg image", "c.jpg image"}));
  bind("width('d.avi'::video)");
  EXPECT_EQ(literals_, std::vector<std::string>{"d.avi video"});
  bind("encode(poster, 'webp')");
  EXPECT_TRUE(literals_.empty());
}

TEST_F(BinderTest, BindsQueriesWithTheirOwnScopes) {
  const std::string text = bind_query(
      "WITH w AS (SELECT id, clip AS m FROM film) SELECT width(w.m), s.* FROM w JOIN (SELECT id, "
      "height(img) FROM shot) s USING (id) WHERE height(w.m) > 3");
  EXPECT_CONTAINS(text, "\"width(video)\"(w.m::coppice.video)");
  EXPECT_CONTAINS(text, "\"height(image)\"(img::coppice.image)");
  EXPECT_CONTAINS(text, "\"height(video)\"");
  EXPECT_CONTAINS(text, "AS width");
  EXPECT_CONTAINS(text, "AS height");
  EXPECT_EQ(engine_calls_, 3);
  EXPECT_CONTAINS(
      bind_query("SELECT width(m) FROM film NATURAL JOIN (SELECT id, poster AS m FROM film) x"),
      "width(image)");
  EXPECT_CONTAINS(bind_query("SELECT width(v) FROM (VALUES (1, 'a.jpg'::image)) AS t(n, v)"),
                  "width(image)");
  EXPECT_CONTAINS(
      bind_query("SELECT width(img) FROM (SELECT poster AS img FROM film UNION ALL SELECT "
                 "img FROM shot) u"),
      "width(image)");
  EXPECT_CONTAINS(bind_query("SELECT width(f.clip) FROM (film AS f CROSS JOIN shot)"),
                  "width(video)");
  EXPECT_CONTAINS(bind_query("SELECT width(j.img) FROM (film CROSS JOIN shot) AS j"),
                  "width(image)");
}

TEST_F(BinderTest, RefusesPlacesAndSaysWhatToWrite) {
  const auto expect = [&](const std::string& query, const std::string& place) {
    const std::string message = query_error(query);
    EXPECT_CONTAINS(message, "cannot stand " + place);
    EXPECT_CONTAINS(message, "line 1, column ");
    EXPECT_CONTAINS(message, "Write: ");
  };
  expect("SELECT count(*) FROM film GROUP BY width(poster)", "in GROUP BY");
  expect("SELECT 1 FROM film HAVING width(max(poster)) > 3", "in HAVING");
  expect("SELECT id FROM film ORDER BY width(poster)", "in ORDER BY");
  expect("SELECT max(width(poster)) FROM film", "inside an aggregate");
  expect("SELECT rank() OVER (ORDER BY width(poster)) FROM film", "inside a window");
  expect("SELECT f.id FROM film f JOIN shot s ON width(s.img) = f.id", "in JOIN");
  expect("SELECT (SELECT width(img) FROM shot LIMIT 1) FROM film", "in a subquery inside");
  expect("SELECT id FROM film WHERE width(poster) IN (SELECT 3)", "on the left of a subquery");
  expect("SELECT * FROM film, LATERAL (SELECT width(film.poster)) s", "in a LATERAL");
  expect("VALUES (width('x'::image))", "in VALUES");
  expect("SELECT 1 LIMIT width('x'::image)", "in LIMIT");
  expect(
      "WITH RECURSIVE r AS (SELECT poster FROM film UNION ALL SELECT resize(poster, 2) FROM r) "
      "SELECT 1 FROM r",
      "in a recursive query");
  EXPECT_CONTAINS(query_error("SELECT count(*) FROM film GROUP BY width(poster)"),
                  "FROM (SELECT width(poster) AS width, … FROM …) s GROUP BY width");
  EXPECT_CONTAINS(bind_query("SELECT width(poster) FROM film ORDER BY width(poster)"), "ORDER BY");
}

TEST_F(BinderTest, MentionsAreFoundByName) {
  const auto mentions = [&](const char* text) {
    const sql::Statement statement = sql::parse_statement(text);
    return mentions_engine_function(statement.node(), functions_);
  };
  EXPECT_TRUE(mentions("SELECT 1 FROM a WHERE x IN (SELECT width(y) FROM b)"));
  EXPECT_TRUE(mentions("SELECT coppice.nothing(1)"));
  EXPECT_FALSE(mentions("SELECT lower(title), count(*) FROM width"));
  EXPECT_FALSE(mentions("SELECT pg_catalog.width(x) FROM a"));
}

TEST_F(BinderTest, BindsWhatIsBoundAlreadyToTheSame) {
  sql::Statement statement = sql::parse_expression("resize(poster, width(clip) / 2)");
  BindContext context{statement.arena(), functions_, relations_, statement.source()};
  const Scope scope = Scope::of_table("film", relations_.tables.at("film"));
  bind_expression(statement.root(), scope, context);
  const std::string once = sql::deparse_expression(statement.node());
  bind_expression(statement.root(), scope, context);
  EXPECT_EQ(sql::deparse_expression(statement.node()), once);
  EXPECT_EQ(user_text(statement.node()), "resize(poster, width(clip) / 2, 0)");
}

TEST_F(BinderTest, TakesExpressionsOfThousandsOfTerms) {
  std::string text = "width(poster)";
  for (int i = 0; i < 3000; ++i) text += " + " + std::to_string(i);
  EXPECT_CONTAINS(bind(text), "width(image)");
}

TEST(Stubs, AreMadeAgainWithoutChangeAndFollowTheSignatures) {
  pg::TestDatabase database;
  pg::Connection connection = database.connect();
  connection.exec(testing::test_schema());
  const std::string script = stubs_sql(builtin_signatures());
  connection.exec(script);
  const auto functions = [&] {
    const pg::Result result = connection.exec(
        "SELECT string_agg(oid::text, ',' ORDER BY oid), count(*) FROM pg_proc WHERE pronamespace "
        "= "
        "'coppice'::regnamespace");
    return std::pair(std::string(result.text(0, 0)), result.integer(0, 1));
  };
  const auto before = functions();
  EXPECT_EQ(before.second, 2 * static_cast<std::int64_t>(builtin_signatures().size()));
  connection.exec(script);
  EXPECT_EQ(functions(), before);

  std::vector<Signature> changed(builtin_signatures().begin(), builtin_signatures().end());
  changed.pop_back();
  changed.front().result = ValueType::kJson;
  changed.front().parameters.front().name = "other";
  connection.exec(stubs_sql(changed));
  EXPECT_EQ(functions().second, before.second - 2);
  EXPECT_NE(stubs_digest(changed), stubs_digest(builtin_signatures()));
  connection.exec(script);
  EXPECT_EQ(functions().second, before.second);
}

TEST(Stubs, CheckTypesAndRaise) {
  testing::ExecDatabase db;
  const pg::Description described = db.connection.describe(
      "SELECT coppice.width(poster), coppice.\"resize(image,bigint,bigint)\"(poster, 3, 4), "
      "coppice.sharpen(poster, sigma => 2, amount => 3) FROM film");
  EXPECT_EQ(described.columns[0].type_name, "bigint");
  try {
    db.connection.exec("SELECT coppice.width(poster) FROM film");
    FAIL() << "the stub ran";
  } catch (const pg::ServerError& error) {
    EXPECT_EQ(error.fields().primary, "width() needs Coppice");
  }
  EXPECT_EQ(find_server_names(db.connection, builtin_signatures()),
            FunctionTable::default_server_names());
}

TEST(Stubs, LongNamesAreShortenedToDifferentOnes) {
  Signature first, second;
  first.id = std::string(70, 'x') + "(image)";
  second.id = std::string(70, 'x') + "(video)";
  EXPECT_LE(stub_name(first).size(), 63U);
  EXPECT_NE(stub_name(first), stub_name(second));
}

}  // namespace
}  // namespace coppice::exec
