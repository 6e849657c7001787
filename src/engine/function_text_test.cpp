// What CREATE FUNCTION says, as texts: commands, settings and drafts.
#include <gtest/gtest.h>

#include "engine/command_text.h"
#include "engine/function_draft.h"
#include "engine/function_settings.h"

namespace coppice::engine {
namespace {

using Words = std::vector<std::string>;

std::string failure(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.message() + " | " + error.hint();
  }
  return "no error";
}

TEST(CommandText, WordsAreSplitByRuleAndNotByAShell) {
  EXPECT_EQ(command_words("a b\tc\n d"), (Words{"a", "b", "c", "d"}));
  EXPECT_EQ(command_words("a 'b \"$x\" c' d"), (Words{"a", "b \"$x\" c", "d"}));
  EXPECT_EQ(command_words(R"(a "b \"c\" \\ \n" d\ e)"), (Words{"a", R"(b "c" \ \n)", "d e"}));
  EXPECT_EQ(command_words("a --x='1 2'3 ''"), (Words{"a", "--x=1 23", ""}));
  EXPECT_EQ(command_words("a $HOME * | ; > b"), (Words{"a", "$HOME", "*", "|", ";", ">", "b"}));
}

TEST(CommandText, WhatCannotBeReadIsRefused) {
  for (const char* const text : {"", "   ", "a 'b", "a \"b", "a b\\", "'' a", "{0} a"}) {
    EXPECT_NE(failure([&] { command_words(text); }), "no error") << text;
  }
}

TEST(CommandText, HolesMustFitTheFunction) {
  Signature signature;
  signature.parameters = {{"a", ValueType::kText, {}}, {"b", ValueType::kText, {}}};
  signature.result = ValueType::kText;
  const auto check = [&](const std::string& text) {
    return failure([&] { check_command(command_words(text), signature); });
  };
  EXPECT_EQ(check("x {1} --a={0}{0} {{}}"), "no error");
  EXPECT_NE(check("x {0} {1} {2}").find("has {2}, and the function 2 arguments"),
            std::string::npos);
  EXPECT_NE(check("x {0}").find("does not use its argument \"b\""), std::string::npos);
  EXPECT_NE(check("x {0} {1} {").find("a { alone"), std::string::npos);
  EXPECT_NE(check("x {0} {1} }").find("a } alone"), std::string::npos);
  EXPECT_NE(check("x {0} {1} {-1}"), "no error");
  EXPECT_NE(check("x {0} {1} {out}").find("no media"), std::string::npos);
  signature.result = ValueType::kImage;
  EXPECT_EQ(check("x {0} {1} {out}"), "no error");
  EXPECT_NE(check("x {0} {1}").find("writes no image"), std::string::npos);
}

TEST(FunctionSettings, UnitsAreNeededAndRead) {
  const FunctionSettings settings = read_function_settings(
      {{"batch", "8"}, {"timeout", "2min"}, {"memory", "2GB"}, {"network", "on"}, {"workers", "3"}},
      FunctionLanguage::kPython);
  EXPECT_EQ(settings.batch, 8U);
  EXPECT_EQ(settings.timeout, std::chrono::milliseconds(120'000));
  EXPECT_EQ(settings.memory_bytes, std::uint64_t{2} << 30);
  EXPECT_EQ(settings.workers, 3);
  EXPECT_TRUE(settings.network);
}

TEST(FunctionSettings, WhatCannotBeIsRefused) {
  const auto read = [](const std::string& name, const std::string& value,
                       FunctionLanguage language = FunctionLanguage::kPython) {
    return failure([&] { read_function_settings({{name, value}}, language); });
  };
  EXPECT_NE(read("bacth", "8").find("did you mean \"batch\""), std::string::npos);
  EXPECT_NE(read("timeout", "30").find("unit"), std::string::npos);
  for (const auto& [name, value] : {std::pair{"timeout", "0s"},
                                    {"timeout", "30 days"},
                                    {"memory", "2"},
                                    {"batch", "0"},
                                    {"batch", "2049"},
                                    {"batch", "x"},
                                    {"workers", "-1"},
                                    {"network", "maybe"},
                                    {"files", "relative"},
                                    {"files", "/nonexistent/file"},
                                    {"gpu", "x"},
                                    {"gpu", "9999"}}) {
    EXPECT_NE(read(name, value), "no error") << name << " " << value;
  }
  EXPECT_NE(read("batch", "8", FunctionLanguage::kCommand), "no error");
}

FunctionDraft draft_of(const std::string& text) {
  sql::Statement statement = sql::parse_statement(text);
  return *read_function(*sql::as<PgQuery__CreateFunctionStmt>(statement.node()), statement);
}

TEST(FunctionDraft, IsWrittenAsItIsRead) {
  const FunctionDraft draft = draft_of(
      "CREATE FUNCTION films.caption(picture image, lang text DEFAULT 'en', n int DEFAULT -1, "
      "v double precision[] DEFAULT NULL) RETURNS real[] LANGUAGE python STABLE STRICT "
      "AS 'captions.py:caption' SET batch = 8 SET timeout = '30s'");
  EXPECT_EQ(draft.signature.id, "films.caption(image,text,bigint,float8[])");
  EXPECT_EQ(draft.signature.volatility, Volatility::kStable);
  const std::string text = create_function_text(draft);
  const FunctionDraft again = draft_of(text);
  EXPECT_EQ(create_function_text(again), text);
  EXPECT_EQ(again.signature.id, draft.signature.id);
  EXPECT_EQ(again.settings, draft.settings);
}

TEST(FunctionDraft, WhatCoppiceWouldIgnoreIsRefused) {
  const std::string begin =
      "CREATE FUNCTION f(a bigint) RETURNS bigint LANGUAGE python AS 'f.py:f' ";
  for (const char* const option : {"COST 10", "ROWS 3", "PARALLEL SAFE", "LEAKPROOF", "WINDOW",
                                   "SECURITY DEFINER", "SUPPORT g", "CALLED ON NULL INPUT",
                                   "SET batch = 1 SET batch = 2", "SET batch TO DEFAULT"}) {
    EXPECT_NE(failure([&] { draft_of(begin + option); }), "no error") << option;
  }
  for (const char* const text :
       {"CREATE FUNCTION f(OUT a bigint) RETURNS bigint LANGUAGE python AS 'f.py:f'",
        "CREATE FUNCTION f(VARIADIC a bigint[]) RETURNS bigint LANGUAGE python AS 'f.py:f'",
        "CREATE FUNCTION f(bigint) RETURNS bigint LANGUAGE python AS 'f.py:f'",
        "CREATE FUNCTION f(a bigint DEFAULT random()) RETURNS bigint LANGUAGE python AS 'f.py:f'",
        "CREATE FUNCTION f(a numeric) RETURNS bigint LANGUAGE python AS 'f.py:f'",
        "CREATE FUNCTION f(a bigint) RETURNS TABLE (b bigint) LANGUAGE python AS 'f.py:f'",
        "CREATE FUNCTION f(a bigint) RETURNS SETOF bigint LANGUAGE python AS 'f.py:f'",
        "CREATE FUNCTION \"f(x)\"(a bigint) RETURNS bigint LANGUAGE python AS 'f.py:f'",
        "CREATE FUNCTION f(a bigint) RETURNS bigint LANGUAGE python",
        "CREATE FUNCTION f(a bigint) RETURNS bigint LANGUAGE perl AS 'x'"}) {
    EXPECT_NE(failure([&] { draft_of(text); }), "no error") << text;
  }
}

}  // namespace
}  // namespace coppice::engine
