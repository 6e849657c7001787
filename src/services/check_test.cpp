// What CREATE FUNCTION is told about AS and SET, before any call.
#include <gtest/gtest.h>

#include "services/json_answer.h"
#include "services/testing/service_world.h"

namespace coppice::services {
namespace {

using enum ValueType;

void expect_refused(const HttpFunction& function, const std::string& part) {
  const std::string refusal = refusal_of(function);
  EXPECT_NE(refusal.find(part), std::string::npos) << "\"" << refusal << "\" has no " << part;
}

HttpFunction chat(SettingTexts settings, ValueType result = kText) {
  return ServiceWorld::function("openai:chat/m", {kText}, result, std::move(settings));
}

TEST(CheckHttpFunction, TakesWhatIsRight) {
  EXPECT_EQ(refusal_of(chat({})), "");
  EXPECT_EQ(refusal_of(chat({{"key", "env:X"}, {"timeout", "30s"}, {"attempts", "3"}})), "");
  EXPECT_EQ(refusal_of(chat({{"prompt", "Say {a} or {0}, {{so}}"}})), "");
  EXPECT_EQ(refusal_of(ServiceWorld::function("json:https://h/x", {kText}, kBoolean,
                                              {{"headers", R"({"X-K": "env:K", "Y": "text:1"})"}})),
            "");
}

TEST(CheckHttpFunction, NamesWhatIsWrongWithAs) {
  const auto with = [](const std::string& source) {
    return ServiceWorld::function(source, {kText}, kText);
  };
  expect_refused(with("openia:chat/x"), "openai:chat/MODEL");
  expect_refused(with("openai:chat/"), "ends early");
  expect_refused(with("openai:chat/a b"), "blank");
  expect_refused(with("json:file:///etc/passwd"), "http(s) URL");
  expect_refused(with("json:https://u:sk-canary@h/"), "SET key");
  expect_refused(with("json:https://{a}/x"), "behind the host");
  expect_refused(with("json:/x"), "SET base_url");
}

TEST(CheckHttpFunction, NamesWhatIsWrongWithASetting) {
  expect_refused(chat({{"temprature", "1"}}), "did you mean \"temperature\"?");
  expect_refused(chat({{"dimensions", "3"}}), "no meaning for this service");
  expect_refused(chat({{"temperature", "warm"}}), "0 to 2");
  expect_refused(chat({{"timeout", "30"}}), "'30s'");
  expect_refused(chat({{"timeout", "99999999999999999999s"}}), "'30s'");
  expect_refused(chat({{"attempts", "0"}}), "1 to 20");
  expect_refused(chat({{"schema", "[1]"}}, kJson), "JSON object");
  expect_refused(chat({{"schema", "{}"}}), "returns jsonb");
  expect_refused(chat({{"base_url", "ftp://x"}}), "http or https");
  expect_refused(chat({{"base_url", "https://h/?key=1"}}), "without");
  expect_refused(chat({{"prompt", "no place"}}), "parameter a is not used");
  expect_refused(chat({{"prompt", "{b}"}}), "there is no parameter {b}");
  expect_refused(chat({{"prompt", "{a"}}), "no other half");
  expect_refused(chat({}, kFloat), "text or jsonb, not float8");
}

TEST(CheckHttpFunction, RefusesLiteralKeysAndPlainWays) {
  constexpr const char* kCanary = "sk-canary-1234567890";
  const std::string refusal = refusal_of(chat({{"key", kCanary}}));
  EXPECT_NE(refusal.find("env:NAME"), std::string::npos) << refusal;
  EXPECT_EQ(refusal.find(kCanary), std::string::npos) << refusal;
  const std::string header = refusal_of(ServiceWorld::function(
      "json:https://h/x", {kText}, kText, {{"headers", R"({"K": "sk-canary-1234567890"})"}}));
  EXPECT_NE(header.find("env:NAME"), std::string::npos) << header;
  EXPECT_EQ(header.find(kCanary), std::string::npos) << header;
  expect_refused(chat({{"key", "env:X"}, {"base_url", "http://example.com/v1"}}), "plain text");
  expect_refused(chat({{"key", "env:X"}, {"base_url", "http://127.evil.example.com/v1"}}),
                 "plain text");
  EXPECT_EQ(refusal_of(chat({{"key", "env:X"}, {"base_url", "http://127.0.0.1:80/v1"}})), "");
  EXPECT_EQ(refusal_of(chat({{"base_url", "http://example.com/v1"}})), "");
}

TEST(CheckHttpFunction, TheConfiguredKeyGoesToNoOtherAddress) {
  HttpFunction function = chat({{"base_url", "http://other.example.com"}});
  function.defaults.key = "env:KEY";
  EXPECT_EQ(refusal_of(function), "");  // for none is sent
  const ServiceSource source = parse_source(function.source);
  EXPECT_EQ(read_http_settings(function.settings, source, function.defaults).key, "");
  EXPECT_EQ(read_http_settings({}, source, function.defaults).key, "env:KEY");
}

TEST(CheckHttpFunction, KindsThatAServiceDoesNotTake) {
  const SettingTexts prompt = {{"prompt", "?"}};
  expect_refused(ServiceWorld::function("openai:chat/m", {kVideo}, kText, prompt), "a video");
  expect_refused(ServiceWorld::function("anthropic:messages/m", {kAudio}, kText, prompt),
                 "an audio");
  EXPECT_EQ(refusal_of(ServiceWorld::function("gemini:generateContent/m", {kVideo, kDocument},
                                              kText, prompt)),
            "");
  expect_refused(ServiceWorld::function("openai:chat/m", {kImage}, kText), "SET prompt");
  expect_refused(ServiceWorld::function("openai:chat/m", {kImage}, kText, {{"prompt", "see {a}"}}),
                 "not a text");
  expect_refused(ServiceWorld::function("openai:embeddings/m", {kImage}, kFloatArray), "a text");
  expect_refused(ServiceWorld::function("openai:embeddings/m", {kText}, kText), "float8[]");
  expect_refused(ServiceWorld::function("json:https://h", {kText}, kImage), "not an image");
}

TEST(JsonAnswer, BadBytesAreRefusedAndNeverCrash) {
  JsonAnswer answer;
  const std::string good = R"({"a":[1,2.5,{"b":"x\u00e9"}],"c":null,"d":true})";
  EXPECT_EQ(answer.parse(good), std::nullopt);
  EXPECT_EQ(answer.text("/a/2/b"), "xé");
  EXPECT_EQ(answer.json("/a"), R"([1,2.5,{"b":"xé"}])");
  EXPECT_EQ(answer.integer("/a/9"), std::nullopt);
  EXPECT_EQ(answer.text("not a pointer"), std::nullopt);
  // Cut anywhere, and each byte replaced: an answer or a refusal, and getters that stay quiet.
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const char c : {'\0', '"', '{', ']', '\\', '\xff', '9'}) {
      std::string bad = good;
      bad[at] = c;
      answer.parse(bad);
      answer.json("/a");
      answer.text("/a/2/b");
      answer.numbers("/a");
    }
    EXPECT_NE(answer.parse(std::string_view(good).substr(0, at)), std::nullopt) << at;
    EXPECT_EQ(answer.json(""), std::nullopt);
  }
  EXPECT_NE(answer.parse(std::string(5000, '[') + std::string(5000, ']')), std::nullopt);
  EXPECT_NE(answer.parse("1e999999"), std::nullopt);
}

TEST(JsonAnswer, ExcerptsAreOneShortLineOfUtf8) {
  EXPECT_EQ(excerpt("a\nb\tc", 10), "a b c");
  EXPECT_EQ(excerpt("ééééé", 3), "ééé…");
  EXPECT_EQ(excerpt(std::string("x\xff\0y", 4), 10), "x? y");
}

}  // namespace
}  // namespace coppice::services
