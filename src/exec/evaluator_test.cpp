#include "exec/evaluator.h"

#include <gtest/gtest.h>

#include "exec/constants.h"
#include "exec/test_support.h"
#include "pg/transaction.h"
#include "sql/deparse.h"
#include "sql/parse.h"

namespace coppice::exec {
namespace {

using testing::ExecDatabase;
using testing::FakePool;

class EvaluatorTest : public ::testing::Test {
 protected:
  // Each row's cells joined by "|", for expressions over the table film.
  std::vector<std::string> evaluate(const std::vector<std::string>& expressions,
                                    const CompileOptions& options = {},
                                    const std::string& from = "FROM film ORDER BY id") {
    std::vector<sql::Statement> statements;
    std::vector<const sql::Node*> bound;
    for (const std::string& text : expressions) {
      sql::Statement& statement = statements.emplace_back(sql::parse_expression(text));
      BindContext context{statement.arena(), db_.functions, db_.relations, statement.source()};
      bind_expression(statement.root(), Scope::of_table("film", db_.relations.tables.at("film")),
                      context);
      bound.push_back(statement.node());
    }
    plan_ = Plan::compile(bound, db_.functions, options);
    if (plan_.needs_source_types()) plan_.describe_source(db_.connection, from);
    return evaluate_plan("SELECT " + plan_.select_list() + " " + from);
  }

  std::vector<std::string> evaluate_plan(const std::string& query) {
    const pg::Result source = db_.connection.exec(query);
    TextBatch rows;
    rows.row_count = static_cast<std::size_t>(source.rows());
    for (int column = 0; column < source.column_count(); ++column) {
      TextColumn& cells = rows.columns.emplace_back();
      for (int row = 0; row < source.rows(); ++row) {
        const auto value = source.value(row, column);
        cells.push_back(value ? TextCell(std::string(*value)) : TextCell());
      }
    }
    const std::vector<OutputColumn> results =
        Evaluator(db_.connection, pool_).evaluate(plan_, rows, stop_.get_token());
    std::vector<std::string> lines(rows.row_count);
    for (std::size_t row = 0; row < rows.row_count; ++row) {
      for (std::size_t i = 0; i < results.size(); ++i) {
        lines[row] += (i == 0 ? "" : "|") + shown(results[i][row]);
      }
    }
    return lines;
  }

  static std::string shown(const OutputCell& cell) {
    if (const auto* failure = std::get_if<CellFailure>(&cell)) {
      return "!" + failure->type + ": " + failure->message;
    }
    return std::get<TextCell>(cell).value_or("NULL");
  }

  ExecDatabase db_;
  FakePool pool_;
  Plan plan_;
  std::stop_source stop_;
};

using Lines = std::vector<std::string>;

TEST(Arrays, NumbersAreReadAndWrittenAsPostgresqlDoes) {
  for (const char* const text :
       {"{}", "{1,2.5,-3}", "{NaN,Infinity,-Infinity}", "{1e+300,1e-05}"}) {
    const Value value = value_from_text(text, ValueType::kFloatArray);
    EXPECT_EQ(std::get<std::optional<std::string>>(text_from_value(value, value.type)), text);
  }
  const Value bounds = value_from_text("[2:3]={1,2}", ValueType::kFloatArray);
  EXPECT_EQ(bounds.text.size(), 16U);
  const Value real = value_from_text("{0.1,3.4e+38}", ValueType::kRealArray);
  EXPECT_EQ(real.text.size(), 8U);
  EXPECT_EQ(std::get<std::optional<std::string>>(text_from_value(real, real.type)),
            "{0.1,3.4e+38}");
}

TEST(Arrays, NullAndMoreDimensionsAreNoArraysForWorkers) {
  EXPECT_THROW(value_from_text("{1,NULL}", ValueType::kFloatArray), Error);
  EXPECT_THROW(value_from_text("{{1},{2}}", ValueType::kFloatArray), Error);
  const Value value = value_from_text("{1}", ValueType::kFloatArray);
  EXPECT_TRUE(std::holds_alternative<CellFailure>(text_from_value(value, ValueType::kRealArray)));
}

TEST_F(EvaluatorTest, CallsFunctionsAndEvaluatesSqlAroundThem) {
  EXPECT_EQ(
      evaluate({"width(poster)", "width(poster) > 8 + coalesce(height(still), 0)",
                "upper(title) || width(poster)"}),
      (Lines{"9|f|STREET9", "10|t|DAWN10", "NULL|NULL|NULL", "5|f|IT'S \"ODD\"\\5", "12|t|NULL"}));
  EXPECT_EQ(pool_.batches, 1);
}

TEST_F(EvaluatorTest, SendsAChainAsOneFragment) {
  evaluate({"width(encode(resize(poster, 10), 'webp'))", "height(resize(poster, 10))"});
  EXPECT_EQ(pool_.seen, Lines{"width(encode(resize($0,$1,$2),$3,$4)) height(resize($0,$1,$2))"});
  EXPECT_EQ(plan_.source_targets(), Lines{"poster"});
}

TEST_F(EvaluatorTest, NestedSqlMakesLevels) {
  EXPECT_EQ(evaluate({"width(resize(poster, width(poster) / 2)) + 1"}),
            (Lines{"14", "15", "NULL", "10", "17"}));
  EXPECT_EQ(pool_.batches, 2);
  EXPECT_EQ(plan_.steps().size(), 4U);
}

TEST_F(EvaluatorTest, SameCallsAreMadeOnce) {
  evaluate({"width(poster)", "width(poster) + width(poster)", "width(film.still)"});
  EXPECT_EQ(pool_.seen, Lines{"width($0) width($1)"});
}

TEST_F(EvaluatorTest, NullArgumentsAreNotSent) {
  EXPECT_EQ(evaluate({"width(clip)"}, {}, "FROM film WHERE id = 3"), Lines{"NULL"});
  EXPECT_EQ(pool_.batches, 0);
  EXPECT_EQ(evaluate({"resize(poster, NULL)"}, {}, "FROM film WHERE id = 1"), Lines{"NULL"});
  EXPECT_EQ(pool_.batches, 0);
  EXPECT_EQ(evaluate({"frame_at(clip, seconds)", "frame_at(clip, 9)"}, {},
                     "FROM film WHERE id < 3 ORDER BY id"),
            (Lines{"frame of street.avi|NULL", "frame of dawn.mp4|NULL"}));
}

TEST_F(EvaluatorTest, ValuesKeepTheirTypes) {
  EXPECT_EQ(evaluate({"duration(clip)", "metadata(poster)->>'name'", "metadata(poster)",
                      "tags || mime_type(poster)", "array_length(tags || mime_type(poster), 1)"},
                     {}, "FROM film WHERE id IN (1, 4) ORDER BY id"),
            (Lines{"5|alpha.jpg|{\"name\": \"alpha.jpg\"}|{city,night,image/al}|3",
                   "2.5|p.jpg|{\"name\": \"p.jpg\"}|{\"a b\",NULL,image/p.}|3"}));
}

TEST_F(EvaluatorTest, FloatsAreWrittenAsPostgresqlWritesThem) {
  for (const double number :
       {0.0, -0.0, 1.0, 0.1, 1e14, 1e15, 123456789012345.0, 1234567890123456.0, 1e-4, 1.5e-5, 1e300,
        -2.5e-310, 1.0 / 3, 4096.25}) {
    Value value;
    value.type = ValueType::kFloat;
    value.number = number;
    const auto text = text_from_value(value, ValueType::kFloat);
    const std::string written = *std::get<TextCell>(text);
    EXPECT_EQ(db_.connection.exec_params("SELECT $1::float8::text", {written}).text(0, 0), written);
    EXPECT_EQ(value_from_text(written, ValueType::kFloat).number, number);
  }
}

TEST_F(EvaluatorTest, ValuesThatAreNotAsPromisedAreFailures) {
  Value text;
  text.type = ValueType::kText;
  text.text = "a\xff";
  EXPECT_EQ(std::get<CellFailure>(text_from_value(text, ValueType::kText)).type, "encoding");
  EXPECT_EQ(std::get<CellFailure>(text_from_value(text, ValueType::kInteger)).type, "type");
  db_.connection.exec("UPDATE film SET poster = 'quote\".jpg' WHERE id = 1");
  const Lines lines = evaluate({"metadata(poster)"}, {}, "FROM film WHERE id <= 2 ORDER BY id");
  EXPECT_EQ(lines[0].substr(0, 42), "!22P02: invalid input syntax for type json");
  EXPECT_EQ(lines[1], "{\"name\": \"banana.jpg\"}");
}

TEST_F(EvaluatorTest, FailuresSpreadOnlyToWhatDependsOnThem) {
  db_.connection.exec("UPDATE film SET poster = 'bad.jpg' WHERE id = 2");
  const Lines lines = evaluate({"width(poster)", "width(resize(poster, width(still) + 1))",
                                "height(still)", "width(poster) + 1", "height(still) + 1"},
                               {}, "FROM film WHERE id <= 2 ORDER BY id");
  EXPECT_EQ(lines[0], "9|13|1|10|2");
  EXPECT_EQ(lines[1],
            "!decode: cannot decode bad.jpg|NULL|NULL|!decode: cannot decode bad.jpg|NULL");
}

TEST_F(EvaluatorTest, SqlThatRaisesCostsTheRowsAtFault) {
  const Lines lines =
      evaluate({"100 / (width(poster) - 9)", "width(poster) * 2", "100 / (width(poster) - 10)"});
  EXPECT_EQ(lines[0], "!22012: division by zero (in 100 / (width(poster) - 9))|18|-100");
  EXPECT_EQ(lines[1], "100|20|!22012: division by zero (in 100 / (width(poster) - 10))");
  EXPECT_EQ(lines[2], "NULL|NULL|NULL");
  EXPECT_EQ(lines[3], "-25|10|-20");
}

TEST_F(EvaluatorTest, SqlErrorsAreNarrowedDownInsideATransactionToo) {
  pg::Transaction transaction(db_.connection);
  const Lines lines = evaluate({"100 / (width(poster) - 9)"});
  EXPECT_EQ(lines[0].substr(0, 7), "!22012:");
  EXPECT_EQ(lines[1], "100");
  EXPECT_EQ(db_.connection.exec("SELECT 1").rows(), 1);
  transaction.commit();
}

TEST_F(EvaluatorTest, ArgumentsThatRaiseCostTheRowWhenSqlIsNotInTheSource) {
  EXPECT_THROW(evaluate({"resize(poster, (10 / id) / (id - 2))"}), pg::ServerError);
  const Lines lines = evaluate({"resize(poster, (10 / id) / (id - 2))", "1 / (id - 2)"},
                               {.sql_in_source = false, .grouped = {}});
  EXPECT_EQ(lines[0], "alpha.jpg--10x0|-1");
  EXPECT_EQ(lines[1].substr(0, 24), "!22012: division by zero");
  EXPECT_EQ(lines[3], "p.jpg-1x0|0");
}

TEST_F(EvaluatorTest, CaseAndCoalesceStayLazy) {
  db_.connection.exec("UPDATE film SET poster = 'bad.jpg' WHERE id IN (2, 4)");
  EXPECT_EQ(
      evaluate({"CASE WHEN id = 2 THEN 0 WHEN title LIKE 'It%' THEN -1 ELSE width(poster) END",
                "CASE id WHEN 1 THEN height(poster) WHEN 5 THEN width(poster) END",
                "coalesce(seconds, width(poster))",
                "coalesce(nullif(id, 5), CASE WHEN id = 5 THEN resize(poster, 100 / (id - "
                "4))::text::bigint END)"},
               {}, "FROM film WHERE id < 5 ORDER BY id"),
      (Lines{"9|2|4.5|1", "0|NULL|0|2", "NULL|NULL|7.25|3", "-1|NULL|-1|4"}));
  const std::size_t calls = pool_.calls;
  EXPECT_LE(calls, 4U);
}

TEST_F(EvaluatorTest, GuardedConstantsAreNotCalledElsewhere) {
  EXPECT_EQ(evaluate({"CASE WHEN id = 1 THEN width('bad.jpg'::image) ELSE 0 END"}, {},
                     "FROM film WHERE id > 1 ORDER BY id"),
            (Lines{"0", "0", "0", "0"}));
  EXPECT_EQ(pool_.calls, 0U);
}

TEST_F(EvaluatorTest, SubqueriesAndClocksAreTheSourcesBusiness) {
  evaluate({"width(poster) + (SELECT count(*) FROM shot WHERE film_id = film.id)",
            "width(poster) + extract(epoch FROM now() - current_timestamp)"});
  EXPECT_EQ(plan_.source_targets().size(), 3U);
  EXPECT_EQ(evaluate({"width(poster) + (SELECT count(*) FROM shot WHERE film_id = film.id)"})[0],
            std::to_string(9 + 6));
}

TEST_F(EvaluatorTest, LargeBatchesGoInPieces) {
  const Lines lines =
      evaluate({"width(still) + n"}, {},
               "FROM (SELECT CASE WHEN n % 2 = 0 THEN 'x' || n END AS still, n FROM "
               "generate_series(1, 10000) n) film");
  ASSERT_EQ(lines.size(), 10'000U);
  EXPECT_EQ(lines[9999], "10006");
  EXPECT_EQ(lines[9998], "NULL");
  EXPECT_EQ(pool_.batches, 3);  // of kPieceRows at most
  static_assert(kPieceRows == 4096);
  EXPECT_EQ(pool_.calls, 5'000U);
}

TEST_F(EvaluatorTest, StopsWhenAsked) {
  stop_.request_stop();
  try {
    evaluate({"width(poster) + 1"});
    FAIL() << "it went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
  }
}

TEST_F(EvaluatorTest, ExplainsItself) {
  evaluate({"width(resize(poster, width(poster) / 2)) + 1"});
  EXPECT_EQ(plan_.explain(),
            "function workers: width(poster)\n"
            "PostgreSQL, on batches: width(poster) / 2\n"
            "function workers: width(resize(poster, width(poster) / 2, 0))\n"
            "PostgreSQL, on batches: width(resize(poster, width(poster) / 2, 0)) + 1\n");
}

}  // namespace
}  // namespace coppice::exec
