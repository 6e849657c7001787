// Each service's requests as its API reference has them, and what is read from its answers.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "services/packed_array.h"
#include "services/service_form.h"
#include "services/testing/service_world.h"

namespace coppice::services {
namespace {

using nlohmann::json;

constexpr const char* kSchema =
    R"({"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],)"
    R"("additionalProperties":false})";

class Forms : public ::testing::Test {
 protected:
  std::unique_ptr<ServiceForm> form(const HttpFunction& function) {
    source_ = parse_source(function.source);
    settings_ = read_http_settings(function.settings, source_, function.defaults);
    signature_ = function.signature;
    return make_form({signature_, source_, settings_, &world_.media});
  }
  HttpRequest request(const ServiceForm& form, const std::vector<Value>& values) {
    Arguments arguments;
    for (const Value& value : values) arguments.push_back(&value);
    auto made = form.request(std::span(&arguments, 1));
    if (auto* failure = std::get_if<CellFailure>(&made)) {
      ADD_FAILURE() << failure->type << ": " << failure->message;
      return {};
    }
    return std::get<HttpRequest>(std::move(made));
  }
  CellFailure request_failure(const ServiceForm& form, const Value& value) {
    const Arguments arguments = {&value};
    auto made = form.request(std::span(&arguments, 1));
    return std::get<CellFailure>(made);
  }
  static Answer read(const ServiceForm& form, const std::string& body, std::size_t calls = 1) {
    JsonAnswer answer;
    EXPECT_EQ(answer.parse(body), std::nullopt);
    return form.read(answer, calls);
  }
  Value image() {
    Value value;
    value.type = ValueType::kImage;
    value.text = world_.media.put_bytes(tiny_png(), "png").text();
    return value;
  }
  static void expect_json(const std::string& body, const char* golden) {
    EXPECT_EQ(json::parse(body), json::parse(golden)) << body;
  }

  ServiceWorld world_;
  ServiceSource source_;
  HttpSettings settings_;
  Signature signature_;
};

TEST_F(Forms, OpenAiChat) {
  const auto plain = form(
      world_.function("openai:chat/gpt-4o-mini", {ValueType::kText}, ValueType::kText,
                      {{"system", "Be {brief}."}, {"temperature", "0.5"}, {"max_tokens", "50"}}));
  const HttpRequest sent = request(*plain, {text_value("Hello")});
  EXPECT_EQ(sent.method, "POST");
  EXPECT_EQ(sent.url, "https://api.openai.com/v1/chat/completions");
  expect_json(sent.body, R"({"model":"gpt-4o-mini","messages":[
    {"role":"system","content":"Be {brief}."},{"role":"user","content":"Hello"}],
    "temperature":0.5,"max_completion_tokens":50})");
  EXPECT_EQ(plain->key_header("K").first, "Authorization");
  EXPECT_EQ(plain->key_header("K").second, "Bearer K");
  const Answer answer = read(*plain, R"({"id":"chatcmpl-1","object":"chat.completion",
    "choices":[{"index":0,"message":{"role":"assistant","content":"Hi \u00e9","refusal":null},
    "finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}})");
  EXPECT_EQ(text_of(answer.cells.at(0)), "Hi é");
  EXPECT_EQ(answer.tokens.in, 9);
  EXPECT_EQ(answer.tokens.out, 12);
}

TEST_F(Forms, OpenAiChatWithAnImageAndASchema) {
  const auto pictures = form(
      world_.function("openai:chat/m", {ValueType::kImage, ValueType::kInteger}, ValueType::kJson,
                      {{"prompt", "At most {b} things, as {{\"n\": 1}}"},
                       {"schema", kSchema},
                       {"base_url", "http://127.0.0.1:9/v1/"},
                       {"max_tokens", "5"},
                       {"parameters", R"({"seed":7})"}}));
  Value count;
  count.type = ValueType::kInteger;
  count.integer = 3;
  const HttpRequest sent = request(*pictures, {image(), count});
  EXPECT_EQ(sent.url, "http://127.0.0.1:9/v1/chat/completions");
  json golden = json::parse(R"({"model":"m","messages":[{"role":"user","content":[
    {"type":"image_url","image_url":{"url":""}},
    {"type":"text","text":"At most 3 things, as {\"n\": 1}"}]}],"max_tokens":5,"seed":7,
    "response_format":{"type":"json_schema","json_schema":{"name":"answer","strict":true}}})");
  golden["messages"][0]["content"][0]["image_url"]["url"] =
      "data:image/png;base64," + to_base64(tiny_png());
  golden["response_format"]["json_schema"]["schema"] = json::parse(kSchema);
  EXPECT_EQ(json::parse(sent.body), golden);
  const auto reply = [](const char* content, const char* finish) {
    return json({{"choices", json::array({json{{"message", {{"content", content}}},
                                               {"finish_reason", finish}}})}})
        .dump();
  };
  EXPECT_EQ(text_of(read(*pictures, reply(R"({"n": 2})", "stop")).cells.at(0)), R"({"n": 2})");
  EXPECT_EQ(failure_of(read(*pictures, reply("Two.", "stop")).cells.at(0)).type, "response");
  EXPECT_EQ(failure_of(read(*pictures, reply(R"({"n":)", "length")).cells.at(0)).type, "limit");
  EXPECT_EQ(failure_of(read(*pictures, reply("", "content_filter")).cells.at(0)).type, "refused");
  EXPECT_EQ(failure_of(read(*pictures, reply(R"({"n":"\u0000"})", "stop")).cells.at(0)).type,
            "response");
  EXPECT_EQ(failure_of(read(*pictures,
                            R"({"choices":[{"message":{"refusal":"I cannot","content":null}}]})")
                           .cells.at(0))
                .type,
            "refused");
  EXPECT_EQ(failure_of(read(*pictures, R"({"choices":[]})").cells.at(0)).type, "response");
}

TEST_F(Forms, AnthropicMessages) {
  HttpFunction function =
      world_.function("anthropic:messages/claude-x", {ValueType::kImage}, ValueType::kJson,
                      {{"prompt", "Count."}, {"schema", kSchema}, {"system", "Be exact."}});
  function.defaults.base_url = "https://api.anthropic.com";
  const auto tool = form(function);
  const HttpRequest sent = request(*tool, {image()});
  EXPECT_EQ(sent.url, "https://api.anthropic.com/v1/messages");
  EXPECT_NE(std::find(sent.headers.begin(), sent.headers.end(),
                      std::pair<std::string, std::string>("anthropic-version", "2023-06-01")),
            sent.headers.end());
  json golden = json::parse(R"({"model":"claude-x","max_tokens":4096,"system":"Be exact.",
    "messages":[{"role":"user","content":[
      {"type":"image","source":{"type":"base64","media_type":"image/png","data":""}},
      {"type":"text","text":"Count."}]}],
    "tools":[{"name":"answer","description":"Gives the answer."}],
    "tool_choice":{"type":"tool","name":"answer"}})");
  golden["messages"][0]["content"][0]["source"]["data"] = to_base64(tiny_png());
  golden["tools"][0]["input_schema"] = json::parse(kSchema);
  EXPECT_EQ(json::parse(sent.body), golden) << sent.body;
  EXPECT_EQ(tool->key_header("K").first, "x-api-key");
  const Answer answer = read(*tool, R"({"id":"msg_1","type":"message","role":"assistant",
    "content":[{"type":"text","text":"Let me"},{"type":"tool_use","id":"t","name":"answer",
    "input":{"n": 4}}],"stop_reason":"tool_use","usage":{"input_tokens":10,
    "cache_read_input_tokens":5,"output_tokens":25}})");
  EXPECT_EQ(text_of(answer.cells.at(0)), R"({"n":4})");
  EXPECT_EQ(answer.tokens.in, 15);
  EXPECT_EQ(answer.tokens.out, 25);
}

TEST_F(Forms, AnthropicTexts) {
  HttpFunction function =
      world_.function("anthropic:messages/claude-x", {ValueType::kText}, ValueType::kText);
  function.defaults.base_url = "https://api.anthropic.com";
  const auto plain = form(function);
  expect_json(request(*plain, {text_value("Hello")}).body,
              R"({"model":"claude-x","max_tokens":4096,
                  "messages":[{"role":"user","content":"Hello"}]})");
  EXPECT_EQ(text_of(read(*plain, R"({"content":[{"type":"text","text":"a"},
                                    {"type":"thinking","thinking":"x"},{"type":"text","text":"b"}],
                                    "stop_reason":"end_turn"})")
                        .cells.at(0)),
            "ab");
  // 4096 was our choice, not the user's: a cut text is not passed off as a whole one.
  EXPECT_EQ(failure_of(read(*plain, R"({"content":[{"type":"text","text":"a"}],
                                        "stop_reason":"max_tokens"})")
                           .cells.at(0))
                .type,
            "limit");
  EXPECT_EQ(failure_of(read(*plain, R"({"content":[],"stop_reason":"refusal"})").cells.at(0)).type,
            "refused");
}

TEST_F(Forms, GeminiGenerateContent) {
  HttpFunction function =
      world_.function("gemini:generateContent/gemini-x", {ValueType::kImage}, ValueType::kJson,
                      {{"prompt", "Count."},
                       {"schema", kSchema},
                       {"system", "Be exact."},
                       {"max_tokens", "9"},
                       {"temperature", "0"}});
  function.defaults.base_url = "https://generativelanguage.googleapis.com";
  const auto gemini = form(function);
  const HttpRequest sent = request(*gemini, {image()});
  EXPECT_EQ(sent.url,
            "https://generativelanguage.googleapis.com/v1beta/models/gemini-x:generateContent");
  json golden = json::parse(R"({"contents":[{"role":"user","parts":[
      {"inlineData":{"mimeType":"image/png","data":""}},{"text":"Count."}]}],
    "systemInstruction":{"parts":[{"text":"Be exact."}]},
    "generationConfig":{"temperature":0.0,"maxOutputTokens":9,
                        "responseMimeType":"application/json"}})");
  golden["contents"][0]["parts"][0]["inlineData"]["data"] = to_base64(tiny_png());
  golden["generationConfig"]["responseSchema"] = json::parse(kSchema);
  EXPECT_EQ(json::parse(sent.body), golden) << sent.body;
  EXPECT_EQ(gemini->key_header("K").first, "x-goog-api-key");
  const Answer answer = read(*gemini, R"({"candidates":[{"content":{"parts":[
    {"text":"thinking","thought":true},{"text":"{\"n\""},{"text":":1}"}],"role":"model"},
    "finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":264,"candidatesTokenCount":6,
    "thoughtsTokenCount":10,"totalTokenCount":280}})");
  EXPECT_EQ(text_of(answer.cells.at(0)), R"({"n":1})");
  EXPECT_EQ(answer.tokens.in, 264);
  EXPECT_EQ(answer.tokens.out, 16);
  for (const char* const refused : {R"({"promptFeedback":{"blockReason":"SAFETY"}})",
                                    R"({"candidates":[{"finishReason":"SAFETY"}]})"}) {
    EXPECT_EQ(failure_of(read(*gemini, refused).cells.at(0)).type, "refused");
  }
}

TEST_F(Forms, OpenAiEmbeddings) {
  const auto embeddings = form(world_.function("openai:embeddings/small", {ValueType::kText},
                                               ValueType::kFloatArray, {{"dimensions", "2"}}));
  const Value first = text_value("a"), second = text_value("b");
  const std::vector<Arguments> calls = {{&first}, {&second}};
  const auto made = embeddings->request(calls);
  const HttpRequest& sent = std::get<HttpRequest>(made);
  EXPECT_EQ(sent.url, "https://api.openai.com/v1/embeddings");
  expect_json(sent.body, R"({"model":"small","input":["a","b"],"encoding_format":"float",
                             "dimensions":2})");
  const Answer answer = read(*embeddings, R"({"object":"list","data":[
    {"object":"embedding","index":1,"embedding":[3,4]},
    {"object":"embedding","index":0,"embedding":[0.25,-1e-3]}],
    "usage":{"prompt_tokens":8,"total_tokens":8}})",
                             2);
  EXPECT_EQ(unpack_array(std::get<Value>(answer.cells.at(0))), (std::vector<double>{0.25, -1e-3}));
  EXPECT_EQ(unpack_array(std::get<Value>(answer.cells.at(1))), (std::vector<double>{3, 4}));
  EXPECT_EQ(answer.tokens.in, 8);
  EXPECT_EQ(failure_of(read(*embeddings, R"({"data":[]})", 2).cells.at(0)).type, "response");
  const Answer odd = read(*embeddings, R"({"data":[{"index":0,"embedding":["x"]},
                                          {"index":1,"embedding":[1]}]})",
                          2);
  EXPECT_EQ(failure_of(odd.cells.at(0)).type, "response");
  EXPECT_EQ(failure_of(odd.cells.at(1)).type, "response");
}

TEST_F(Forms, AnyJsonService) {
  const auto service = form(
      world_.function("json:https://host/items/{a}?q={b}",
                      {ValueType::kText, ValueType::kInteger, ValueType::kJson, ValueType::kImage},
                      ValueType::kFloat,
                      {{"body", R"({"n":"{b}","note":"is {b}","raw":"{2}","deep":[{"x":"{a}"}],
                    "image":"data:{d.mime};base64,{d}"})"},
                       {"result", "/out/0/score"}}));
  Value number, object;
  number.type = ValueType::kInteger;
  number.integer = 5;
  object.type = ValueType::kJson;
  object.text = R"({"k":[1]})";
  const HttpRequest sent = request(*service, {text_value("a/b\" c"), number, object, image()});
  EXPECT_EQ(sent.url, "https://host/items/a%2Fb%22%20c?q=5");
  json golden =
      json::parse(R"({"n":5,"note":"is 5","raw":{"k":[1]},"deep":[{"x":"a/b\" c"}],"image":""})");
  golden["image"] = "data:image/png;base64," + to_base64(tiny_png());
  EXPECT_EQ(json::parse(sent.body), golden) << sent.body;
  const Answer answer = read(*service, R"({"out":[{"score":0.75}]})");
  EXPECT_EQ(std::get<Value>(answer.cells.at(0)).number, 0.75);
  EXPECT_TRUE(std::get<Value>(read(*service, R"({"out":[{"score":null}]})").cells.at(0)).is_null());
  EXPECT_EQ(failure_of(read(*service, R"({"out":[{"score":"x"}]})").cells.at(0)).type, "response");
  EXPECT_EQ(failure_of(read(*service, R"({"out":[]})").cells.at(0)).type, "response");
}

TEST_F(Forms, AJsonServiceSendsAllParametersByItself) {
  const auto service = form(world_.function("json:/score", {ValueType::kText, ValueType::kText},
                                            ValueType::kJson, {{"base_url", "https://host/v1/"}}));
  const HttpRequest sent = request(*service, {text_value("1"), text_value("{b}")});
  EXPECT_EQ(sent.url, "https://host/v1/score");
  expect_json(sent.body, R"({"a":"1","b":"{b}"})");
}

TEST_F(Forms, FilesThatAServiceDoesNotTakeFailTheirCell) {
  HttpFunction function = world_.function("anthropic:messages/m", {ValueType::kImage},
                                          ValueType::kText, {{"prompt", "?"}});
  const auto anthropic = form(function);
  Value value;
  value.type = ValueType::kImage;
  value.text = world_.media.put_bytes(tiny_png() + std::string(6 << 20, ' '), "png").text();
  EXPECT_EQ(request_failure(*anthropic, value).type, "limit");
  value.text = world_.media.put_bytes(std::string("II*\0\x08\0\0\0", 8), "tif").text();
  EXPECT_EQ(request_failure(*anthropic, value).type, "type");
  value.text = "media:" + std::string(64, '0') + ".png";
  EXPECT_EQ(request_failure(*anthropic, value).type, "missing");
}

}  // namespace
}  // namespace coppice::services
