// A fixture that runs SELECTs twice: by PreparedSelect, and by a PostgreSQL in which the engine
// functions are SQL functions.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "exec/select.h"
#include "exec/test_support.h"
#include "sql/deparse.h"
#include "sql/parse.h"

namespace coppice::exec::testing {

using Lines = std::vector<std::string>;

class LineSink : public RowSink {
 public:
  void begin(std::span<const SelectColumn> columns) override {
    for (const SelectColumn& column : columns) {
      header += (header.empty() ? "" : "|") + column.name + " " + column.type;
    }
  }
  void row(std::span<const std::optional<std::string_view>> values) override {
    std::string line;
    for (std::size_t i = 0; i < values.size(); ++i) {
      line += (i == 0 ? "" : "|") + std::string(values[i].value_or("NULL"));
    }
    lines.push_back(line);
  }

  std::string header;
  Lines lines;
};

class SelectTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    database_ = new ExecDatabase;
    expected_ = new ExecDatabase;
    expected_->connection.exec(testing::sql_functions());
    for (ExecDatabase* const each : {database_, expected_}) {
      each->connection.exec("SET search_path = public, coppice");
    }
    side_ = new pg::Connection(database_->connection.open_another());
    side_->exec("SET search_path = public, coppice");
  }
  static void TearDownTestSuite() {
    delete side_;
    delete database_;
    delete expected_;
  }

  SelectSession session() {
    return {database_->connection, *side_, pool_, database_->functions, database_->relations};
  }

  sql::Statement bind(const std::string& text, const std::vector<pg::Parameter>& values = {}) {
    sql::Statement statement = sql::parse_statement(text);
    substitute_parameters(statement.root(), values, statement.arena());
    BindContext context{statement.arena(), database_->functions, database_->relations,
                        statement.source()};
    bind_select(*sql::as<PgQuery__SelectStmt>(statement.node()), context);
    return statement;
  }

  Lines run(const std::string& text, const SelectOptions& options = {}) {
    sql::Statement statement = bind(text);
    return run(statement, options);
  }

  Lines run(sql::Statement& statement, const SelectOptions& options = {}) {
    PreparedSelect select(session(), statement.arena(),
                          *sql::as<PgQuery__SelectStmt>(statement.node()), statement.source());
    explained_ = select.explain();
    LineSink sink;
    const std::uint64_t count = select.run(sink, options);
    EXPECT_EQ(count, sink.lines.size());
    header_ = sink.header;
    return sink.lines;
  }

  // What PostgreSQL gives when the engine functions are its own.
  Lines expected(const std::string& text) {
    const sql::Statement statement = bind(text);
    const pg::Result result = expected_->connection.exec(sql::deparse(statement.node()));
    Lines lines;
    for (int row = 0; row < result.rows(); ++row) {
      std::string line;
      for (int column = 0; column < result.column_count(); ++column) {
        line += (column == 0 ? "" : "|") + std::string(result.value(row, column).value_or("NULL"));
      }
      lines.push_back(line);
    }
    return lines;
  }

  void expect_same(const std::string& text) {
    SCOPED_TRACE(text);
    Lines want = expected(text);
    Lines got;
    try {
      got = run(text);
    } catch (const Error& error) {
      FAIL() << error.message() << "\n" << explained_;
    }
    const sql::Statement parsed = sql::parse_statement(text);
    if (sql::as<PgQuery__SelectStmt>(parsed.node())->n_sort_clause == 0) {
      std::sort(want.begin(), want.end());
      std::sort(got.begin(), got.end());
    }
    EXPECT_EQ(got, want) << explained_;
    const std::int64_t temporary =
        database_->connection
            .exec("SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()")
            .integer(0, 0);
    EXPECT_EQ(temporary, 0);
  }

  std::string error_of(const std::string& text) {
    try {
      run(text);
      return "no error";
    } catch (const Error& error) {
      return error.message() + " | " + error.hint();
    }
  }

  static inline ExecDatabase* database_ = nullptr;
  static inline ExecDatabase* expected_ = nullptr;  // its engine functions are SQL functions
  static inline pg::Connection* side_ = nullptr;
  FakePool pool_;
  std::string explained_;
  std::string header_;
};

}  // namespace coppice::exec::testing
