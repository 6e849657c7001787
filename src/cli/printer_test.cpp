#include <gtest/gtest.h>

#include "cli/display_text.h"
#include "cli/invoke.h"
#include "cli/json_text.h"
#include "cli/progress_bar.h"
#include "cli/row_printer.h"

namespace coppice::cli {
namespace {

const std::vector<ResultColumn> kColumns = {{"id", "bigint"}, {"title", "text"}, {"ok", "boolean"}};

std::string printed(const RowStyle& style, const std::vector<ResultColumn>& columns,
                    const std::vector<std::vector<std::string>>& rows) {
  const FileDescriptor file(::memfd_create("out", MFD_CLOEXEC));
  Output output(file.get(), "test");
  const auto printer = make_row_printer(output, style);
  printer->begin(columns);
  for (const std::vector<std::string>& texts : rows) {
    std::vector<std::optional<std::string_view>> values;
    for (const std::string& text : texts) {
      values.push_back(text == "∅" ? std::nullopt : std::optional<std::string_view>(text));
    }
    printer->row(values);
  }
  printer->end();
  output.flush();
  return content_of(file.get());
}

TEST(TablePrinter, AlignsByDisplayWidthAndPutsNumbersRight) {
  EXPECT_EQ(printed({}, kColumns, {{"1", "Straße", "t"}, {"200", "電影", "f"}, {"3", "∅", "∅"}}),
            "  id | title  | ok\n"
            "-----+--------+------\n"
            "   1 | Straße | t\n"
            " 200 | 電影   | f\n"
            "   3 | NULL   | NULL\n"
            "(3 rows)\n");
}

TEST(TablePrinter, CountsOneRowAndNone) {
  EXPECT_EQ(printed({}, {{"n", "integer"}}, {{"7"}}), " n\n---\n 7\n(1 row)\n");
  EXPECT_EQ(printed({}, {{"n", "integer"}}, {}), " n\n---\n(0 rows)\n");
}

TEST(TablePrinter, CutsLongTextsToTheTerminalButNeverNumbers) {
  const std::string text =
      printed({RowFormat::kTable, 30, true}, {{"number", "numeric"}, {"text", "text"}},
              {{"12345678901234", std::string(200, 'x')}});
  EXPECT_EQ(text,
            "         number | text\n"
            "----------------+-------------\n"
            " 12345678901234 | xxxxxxxxxx…\n"
            "(1 row)\n");
  const std::string whole =
      printed({RowFormat::kTable, 0, true}, {{"text", "text"}}, {{std::string(200, 'x')}});
  EXPECT_NE(whole.find(std::string(200, 'x')), std::string::npos);
}

TEST(TablePrinter, StreamsAfterTheFirstThousandRows) {
  std::vector<std::vector<std::string>> rows(1500, {"1", "a", "t"});
  rows.push_back({"2", "longer than those before", "t"});
  const std::string text = printed({}, kColumns, rows);
  EXPECT_NE(text.find("  2 | longer than those before | t\n"), std::string::npos);
  EXPECT_NE(text.find("(1501 rows)\n"), std::string::npos);
}

TEST(TablePrinter, AValueCannotSteerTheTerminal) {
  const std::string text = printed({}, {{"a", "text"}}, {{"x\n\x1b[2J\t\xff"}});
  EXPECT_NE(text.find(" x\\n\\x1b[2J\\t\\xff\n"), std::string::npos);
}

TEST(ExpandedPrinter, GivesOneLineAColumn) {
  EXPECT_EQ(printed({RowFormat::kExpanded, 0, true}, kColumns, {{"1", "A", "t"}}),
            "-[ row 1 ]-\nid    | 1\ntitle | A\nok    | t\n(1 row)\n");
}

TEST(PlainPrinter, GivesTheLastColumnAlone) {
  EXPECT_EQ(printed({RowFormat::kPlain}, {{"value", "text"}, {"path", "text"}},
                    {{"media:1", "/a"}, {"media:2", "/b"}}),
            "/a\n/b\n");
}

TEST(CsvPrinter, QuotesAsRfc4180AndTellsNullFromEmpty) {
  EXPECT_EQ(printed({RowFormat::kCsv}, {{"a,b", "text"}, {"c", "text"}},
                    {{"say \"hi\"", "two\nlines"}, {"", "∅"}, {"plain", "é"}}),
            "\"a,b\",c\n\"say \"\"hi\"\"\",\"two\nlines\"\n\"\",\nplain,é\n");
}

TEST(JsonPrinter, KeepsSqlTypes) {
  EXPECT_EQ(printed({RowFormat::kJson},
                    {{"id", "bigint"},
                     {"price", "numeric(10,2)"},
                     {"ok", "boolean"},
                     {"doc", "jsonb"},
                     {"text", "text"},
                     {"at", "timestamp with time zone"}},
                    {{"1", "2.50", "f", "{\"a\": [1,\n2]}", "5", "2026-11-22 10:00:00+00"},
                     {"∅", "NaN", "∅", "∅", "∅", "∅"}}),
            "{\"id\":1,\"price\":2.50,\"ok\":false,\"doc\":{\"a\": [1, 2]},\"text\":\"5\","
            "\"at\":\"2026-11-22 10:00:00+00\"}\n"
            "{\"id\":null,\"price\":\"NaN\",\"ok\":null,\"doc\":null,\"text\":null,\"at\":null}\n");
}

TEST(JsonPrinter, GivesColumnsOfOneNameNamesOfTheirOwn) {
  EXPECT_EQ(printed({RowFormat::kJson}, {{"a", "integer"}, {"a", "integer"}, {"a_2", "text"}},
                    {{"1", "2", "x"}}),
            "{\"a\":1,\"a_2\":2,\"a_2_2\":\"x\"}\n");
}

std::string json_of(const std::string& type, const std::string& text) {
  std::string json;
  append_json_value(json, json_type(type), text);
  return json;
}

TEST(JsonText, TurnsArraysIntoArrays) {
  EXPECT_EQ(json_of("integer[]", "{1,NULL,3}"), "[1,null,3]");
  EXPECT_EQ(json_of("integer[]", "{}"), "[]");
  EXPECT_EQ(json_of("integer[][]", "{{1,2},{3,4}}"), "[[1,2],[3,4]]");
  EXPECT_EQ(json_of("integer[]", "[0:1]={5,6}"), "[5,6]");
  EXPECT_EQ(json_of("text[]", "{a,\"b \\\"c\\\", \\\\d\",\"NULL\",\"\"}"),
            "[\"a\",\"b \\\"c\\\", \\\\d\",\"NULL\",\"\"]");
  EXPECT_EQ(json_of("boolean[]", "{t,f}"), "[true,false]");
  EXPECT_EQ(json_of("jsonb[]", "{\"{\\\"a\\\": 1}\"}"), "[{\"a\": 1}]");
  EXPECT_EQ(json_of("double precision[]", "{1e+20,NaN,-Infinity}"),
            "[1e+20,\"NaN\",\"-Infinity\"]");
}

TEST(JsonText, BrokenArraysStayTexts) {
  for (const char* text : {"", "{", "{1,", "{\"a", "{a}b", "{,}", "x"}) {
    std::string expected;
    append_json_string(expected, text);
    EXPECT_EQ(json_of("text[]", text), expected);
  }
}

TEST(JsonText, EscapesWhatMustBe) {
  std::string json;
  append_json_string(json, std::string_view("a\"b\\c\n\t\r\x01\x1f é", 13));
  EXPECT_EQ(json, "\"a\\\"b\\\\c\\n\\t\\r\\u0001\\u001f é\"");
}

TEST(DisplayText, MeasuresAndCutsByColumns) {
  EXPECT_EQ(display_width("電影"), 4U);
  EXPECT_EQ(display_width("e\u0301"), 1U);
  EXPECT_EQ(cut_to_width("電影電影", 5), "電影…");
  EXPECT_EQ(cut_to_width("abc", 3), "abc");
  EXPECT_EQ(cut_to_width("abcd", 3), "ab…");
  EXPECT_EQ(cut_to_width("abcd", 0), "");
}

TEST(DisplayText, HidesMarksThatReorderText) {
  EXPECT_EQ(printable("a\u202Eb\u0085"), "a\\u202eb\\x85");
}

TEST(ProgressBar, FitsTheTerminalAndEstimatesTheRest) {
  const Progress progress{"filling films.film.poster", 200, 300};
  const std::string wide = progress_bar(progress, std::chrono::seconds(8), 100);
  EXPECT_NE(wide.find("67 %  200/300  4.0 s left"), std::string::npos) << wide;
  EXPECT_NE(wide.find("████████████████░░░░░░░░"), std::string::npos) << wide;
  for (std::size_t width = 1; width < 100; ++width) {
    EXPECT_LE(display_width(progress_bar(progress, std::chrono::seconds(8), width)), width);
  }
  EXPECT_EQ(progress_bar({"reading", 7, 0}, std::chrono::seconds(2), 80), "reading  7  2.0 s");
  EXPECT_EQ(progress_json({"a\"b", 7, 0}),
            "{\"progress\":{\"what\":\"a\\\"b\",\"done\":7,\"total\":null}}");
}

}  // namespace
}  // namespace coppice::cli
