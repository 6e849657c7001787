// HttpFunctionPool against real servers on loopback, good ones and bad ones.
#include "services/http_function_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/error.h"
#include "net/testing/parallel_http_server.h"
#include "services/packed_array.h"
#include "services/testing/service_world.h"

namespace coppice::services {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using enum ValueType;

std::string ok(const std::string& body, const std::string& headers = "") {
  return ParallelHttpServer::answer("200 OK", body, headers);
}
std::string status(const std::string& line, const std::string& headers = "",
                   const std::string& body = R"({"error":{"message":"not now"}})") {
  return ParallelHttpServer::answer(line, body, headers);
}

double milliseconds_since(steady_clock::time_point begun) {
  return std::chrono::duration<double, std::milli>(steady_clock::now() - begun).count();
}

// What was sent as {"a": …}, sent back.
std::string echo(const ReceivedRequest& request) {
  return ok(json{{"out", json::parse(request.body).at("a")}}.dump());
}

class HttpPool : public ::testing::Test {
 protected:
  std::unique_ptr<HttpFunctionPool> json_pool(const ParallelHttpServer& server,
                                              SettingTexts settings = {},
                                              Volatility volatility = Volatility::kStable) {
    settings.emplace("result", "/out");
    HttpFunction function =
        world_.function("json:" + server.url("/f"), {kText}, kText, std::move(settings));
    function.signature.volatility = volatility;
    return world_.pool(std::move(function));
  }
  static std::vector<Cell> call(HttpFunctionPool& pool, std::vector<std::string> texts,
                                std::stop_token stop = {}) {
    std::vector<Value> values;
    for (std::string& text : texts) values.push_back(text_value(std::move(text)));
    return call_each(pool, "public.f", values, std::move(stop));
  }
  static std::vector<std::string> numbered(int count) {
    std::vector<std::string> texts;
    for (int i = 0; i < count; ++i) texts.push_back("text " + std::to_string(i));
    return texts;
  }

  ServiceWorld world_;
};

TEST_F(HttpPool, ResultsComeInTheOrderOfTheRows) {
  ParallelHttpServer server([](const ReceivedRequest& request) {
    // The first ones are the slowest.
    const int number = std::stoi(json::parse(request.body).at("a").get<std::string>().substr(5));
    std::this_thread::sleep_for(milliseconds(20 - number % 20));
    return echo(request);
  });
  const auto pool = json_pool(server);
  const auto texts = numbered(60);
  const std::vector<Cell> cells = call(*pool, texts);
  for (std::size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(text_of(cells.at(i)), texts[i]);
  const Usage usage = world_.usage.total();
  EXPECT_EQ(usage.calls, 60);
  EXPECT_EQ(usage.requests, 60);
  EXPECT_EQ(usage.retries, 0);
}

// Counts the calls that were answered when the last of them had begun.
class AnsweredAtLast final : public CallWatcher {
 public:
  explicit AnsweredAtLast(const std::atomic<int>& answered) : answered_(answered) {}
  void all_begun() override { at_last.push_back(answered_); }
  void cost(const Money& money) override { sum += money; }
  std::vector<int> at_last;
  Money sum;

 private:
  const std::atomic<int>& answered_;
};

TEST_F(HttpPool, TellsWhenTheLastCallHasBegunAndWhatAllHaveCost) {
  std::atomic<int> answered = 0;
  ParallelHttpServer server([&](const ReceivedRequest& request) {
    std::this_thread::sleep_for(milliseconds(30));
    if (json::parse(request.body).at("a") == "text 3") return status("404 Not Found");
    ++answered;
    return echo(request);
  });
  const auto pool = json_pool(server, {{"in_flight", "4"}, {"call_price", "0.5"}});
  Batch batch{10, {{}}};
  for (const std::string& text : numbered(10)) batch.arguments[0].push_back(text_value(text));
  AnsweredAtLast watcher(answered);
  pool->evaluate_watched({Fragment{-1, "public.f", {{0, "", {}}}}}, batch, watcher, {});
  ASSERT_EQ(watcher.at_last.size(), 1U);
  EXPECT_GE(watcher.at_last[0], 5);  // four of ten are out
  EXPECT_LT(watcher.at_last[0], 9);
  EXPECT_EQ(watcher.sum, world_.usage.total().money);
  EXPECT_EQ(watcher.sum, *Money::parse("4.5"));  // a refusal costs nothing
}

TEST_F(HttpPool, WhoeverComesNextTakesTheSlotsThatTheLastCallsLeave) {
  std::atomic<int> at_once = 0, most_at_once = 0;
  ParallelHttpServer server([&](const ReceivedRequest& request) {
    int most = most_at_once;
    const int now = ++at_once;
    while (now > most && !most_at_once.compare_exchange_weak(most, now)) {
    }
    const bool last = json::parse(request.body).at("a") == "last";
    std::this_thread::sleep_for(milliseconds(last ? 400 : 5));
    --at_once;
    return echo(request);
  });
  const auto pool = json_pool(server, {{"in_flight", "4"}});
  std::jthread slow([&] { EXPECT_EQ(text_of(call(*pool, {"last"}).at(0)), "last"); });
  std::this_thread::sleep_for(milliseconds(100));
  const auto begun = steady_clock::now();
  for (const Cell& cell : call(*pool, numbered(60))) EXPECT_NE(text_of(cell), "");
  // Three at a time: 20 rounds of 5 ms, and the slow call is not waited for.
  EXPECT_LT(steady_clock::now() - begun, milliseconds(290));
  slow.join();
  EXPECT_LE(most_at_once, 4);
}

TEST_F(HttpPool, NullIsNotSentAndEqualCallsAreMadeOnce) {
  ParallelHttpServer server(echo);
  const auto pool = json_pool(server);
  const std::vector<Cell> cells =
      call_each(*pool, "public.f", {text_value("x"), Value{}, text_value("x"), text_value("y")});
  EXPECT_EQ(text_of(cells.at(0)), "x");
  EXPECT_TRUE(std::get<Value>(cells.at(1)).is_null());
  EXPECT_EQ(text_of(cells.at(2)), "x");
  EXPECT_EQ(server.request_count(), 2);
  const auto random = json_pool(server, {}, Volatility::kVolatile);
  call(*random, {"x", "x"});
  EXPECT_EQ(server.request_count(), 4);
}

TEST_F(HttpPool, CallsInsideCallsComeFirst) {
  ParallelHttpServer server([](const ReceivedRequest& request) {
    const auto text = json::parse(request.body).at("a").get<std::string>();
    if (text == "bad") return status("404 Not Found");
    return ok(json{{"out", text + "!"}}.dump());
  });
  const auto pool = json_pool(server);
  const Fragment inner{-1, "public.f", {{0, "", {}}}};
  const Fragment outer{-1, "public.f", {inner}};
  const Batch batch{3, {{text_value("a"), text_value("bad"), Value{}}}};
  const BatchResult results = pool->evaluate({outer, inner}, batch, {});
  EXPECT_EQ(text_of(results.at(0).at(0)), "a!!");
  EXPECT_EQ(text_of(results.at(1).at(0)), "a!");
  EXPECT_EQ(failure_of(results.at(0).at(1)).type, "http");
  EXPECT_TRUE(std::get<Value>(results.at(0).at(2)).is_null());
}

TEST_F(HttpPool, RetryAfterIsHonouredByTheWholeModel) {
  std::atomic<int> turn = 0;
  std::mutex mutex;
  std::vector<steady_clock::time_point> later;
  ParallelHttpServer server([&](const ReceivedRequest& request) {
    if (turn++ == 0) return status("429 Too Many Requests", "Retry-After: 1\r\n");
    const std::lock_guard lock(mutex);
    later.push_back(steady_clock::now());
    return echo(request);
  });
  const auto pool = json_pool(server, {{"in_flight", "1"}});
  const auto begun = steady_clock::now();
  for (const Cell& cell : call(*pool, numbered(3))) EXPECT_NE(text_of(cell), "");
  const auto first = std::chrono::duration<double, std::milli>(
      *std::min_element(later.begin(), later.end()) - begun);
  EXPECT_GE(first.count(), 999);
  EXPECT_LT(first.count(), 1'300);
  EXPECT_EQ(server.request_count(), 4);
  EXPECT_EQ(world_.usage.total().retries, 1);
}

TEST_F(HttpPool, AWaitingRetryDelaysNobodyElse) {
  std::atomic<bool> failed = false;
  ParallelHttpServer server([&](const ReceivedRequest& request) {
    const bool unlucky = json::parse(request.body).at("a") == "text 0";
    if (unlucky && !failed.exchange(true)) {
      return status("503 Service Unavailable", "retry-after-ms: 400\r\n");
    }
    std::this_thread::sleep_for(milliseconds(5));
    return echo(request);
  });
  const auto pool = json_pool(server, {{"in_flight", "2"}});
  const auto begun = steady_clock::now();
  const std::vector<Cell> cells = call(*pool, numbered(60));
  EXPECT_GE(milliseconds_since(begun), 399);
  EXPECT_LT(milliseconds_since(begun), 640);  // 60 × 5 / 2 ms fit beside the pause
  EXPECT_EQ(text_of(cells.at(0)), "text 0");
}

TEST_F(HttpPool, WhatIsTriedAgainAndWhatIsNot) {
  struct Case {
    std::string answer, type;
    int requests;
  };
  const std::string half = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\nConnection: close\r\n\r\n{\"o";
  const std::vector<Case> cases = {
      {status("500 Internal Server Error"), "http", 3},
      {status("502 Bad Gateway"), "http", 3},
      {status("529 Overloaded"), "http", 3},
      {status("408 Request Timeout"), "http", 3},
      {status("429 Too Many Requests"), "http", 3},
      {status("400 Bad Request"), "http", 1},
      {status("401 Unauthorized"), "http", 1},
      {status("404 Not Found"), "http", 1},
      {status("409 Conflict"), "http", 1},  // json: only
      {status("429 Too Many Requests", "",
              R"({"error":{"message":"no money","code":"insufficient_quota"}})"),
       "http", 1},
      {status("302 Found", "Location: http://elsewhere/\r\n"), "http", 1},
      {"", "connection", 3},    // closed without a byte
      {half, "connection", 3},  // half a body
      {ok(""), "connection", 3},
      {ok("<html>garbage"), "response", 1},
      {ok(R"({"out":)"), "response", 1},
      {ok(R"({"no":1})"), "response", 1},
  };
  for (const Case& each : cases) {
    ParallelHttpServer server([&](const ReceivedRequest&) { return each.answer; });
    const auto pool = json_pool(server, {{"attempts", "3"}});
    const std::vector<Cell> cells = call(*pool, {"x"});
    EXPECT_EQ(failure_of(cells.at(0)).type, each.type) << each.answer;
    EXPECT_EQ(server.request_count(), each.requests) << each.answer;
    EXPECT_EQ(world_.usage.total().calls, 0);
  }
}

TEST_F(HttpPool, ItGoesOnAfterEveryPassingFault) {
  std::atomic<int> turn = 0;
  ParallelHttpServer server([&](const ReceivedRequest& request) -> std::string {
    switch (turn++) {
      case 0:
        return "";
      case 1:
        return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\n{\"";
      case 2:
        return status("500 Internal Server Error");
      case 3:
        std::this_thread::sleep_for(milliseconds(250));
        return "";
      default:
        return echo(request);
    }
  });
  const auto pool = json_pool(server, {{"timeout", "150ms"}, {"attempts", "6"}});
  EXPECT_EQ(text_of(call(*pool, {"x"}).at(0)), "x");
  EXPECT_EQ(server.request_count(), 5);
}

TEST_F(HttpPool, AServiceThatSaysNothingIsATimeout) {
  ParallelHttpServer server([](const ReceivedRequest&) -> std::string {
    std::this_thread::sleep_for(milliseconds(200));
    return "";
  });
  const auto pool = json_pool(server, {{"timeout", "100ms"}, {"attempts", "2"}});
  const auto begun = steady_clock::now();
  const CellFailure failure = failure_of(call(*pool, {"x"}).at(0));
  EXPECT_EQ(failure.type, "timeout");
  EXPECT_NE(failure.message.find("2 attempts"), std::string::npos) << failure.message;
  EXPECT_LT(milliseconds_since(begun), 600);
}

TEST_F(HttpPool, AWaitBeyondTheDeadlineIsALimit) {
  ParallelHttpServer server([](const ReceivedRequest&) {
    return status("429 Too Many Requests", "Retry-After: 3600\r\n");
  });
  const auto pool = json_pool(server, {{"deadline", "2s"}});
  const auto begun = steady_clock::now();
  for (const Cell& cell : call(*pool, numbered(20))) EXPECT_EQ(failure_of(cell).type, "limit");
  EXPECT_LT(milliseconds_since(begun), 1'000);
}

TEST_F(HttpPool, StopIsObeyedAtOnce) {
  std::atomic<bool> ending = false;
  ParallelHttpServer server([&](const ReceivedRequest&) -> std::string {
    for (int i = 0; i < 300 && !ending; ++i) std::this_thread::sleep_for(milliseconds(10));
    return "";
  });
  const auto pool = json_pool(server);
  std::stop_source stop;
  std::jthread stopper([&] {
    std::this_thread::sleep_for(milliseconds(100));
    stop.request_stop();
  });
  const auto begun = steady_clock::now();
  try {
    call(*pool, numbered(8), stop.get_token());
    ADD_FAILURE() << "it was not interrupted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
  }
  EXPECT_LT(milliseconds_since(begun), 250);
  EXPECT_EQ(world_.usage.total().requests, 8);
  // What was in flight holds no slot any more.
  EXPECT_EQ(world_.limits.take(server.url("/f"), {0, 0, 1}, 0), std::nullopt);
  ending = true;
}

TEST_F(HttpPool, NoMessageHoldsAKey) {
  ParallelHttpServer server([](const ReceivedRequest& request) {
    // As some services do: the key is in the error, in the body, in a header.
    const std::string key = request.headers.at("authorization") + request.headers.at("x-second");
    return status("401 Unauthorized", "X-Echo: " + key + "\r\n",
                  json{{"error", {{"message", "bad key " + key}}}}.dump());
  });
  const auto pool =
      json_pool(server, {{"key", "env:CANARY"}, {"headers", R"({"X-Second": "env:CANARY"})"}});
  const CellFailure failure = failure_of(call(*pool, {"x"}).at(0));
  EXPECT_EQ(failure.message.find(ServiceWorld::kKey), std::string::npos) << failure.message;
  EXPECT_NE(failure.message.find("bad key Bearer ***"), std::string::npos) << failure.message;
}

TEST_F(HttpPool, AKeyThatIsNotThereIsAnErrorOfTheStatement) {
  ParallelHttpServer server(echo);
  const auto pool = json_pool(server, {{"key", "env:NOT_THERE"}});
  try {
    call(*pool, {"x"});
    ADD_FAILURE() << "it was called";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
    EXPECT_NE(error.message().find("NOT_THERE"), std::string::npos);
  }
  EXPECT_EQ(server.request_count(), 0);
}

TEST_F(HttpPool, InFlightIsALimitOverAllCallers) {
  ParallelHttpServer server([](const ReceivedRequest& request) {
    std::this_thread::sleep_for(milliseconds(5));
    return echo(request);
  });
  const auto pool = json_pool(server, {{"in_flight", "4"}});
  std::jthread other([&] {
    for (const Cell& cell : call(*pool, numbered(40))) EXPECT_NE(text_of(cell), "");
  });
  for (const Cell& cell : call(*pool, numbered(40))) EXPECT_NE(text_of(cell), "");
  other.join();
  EXPECT_LE(server.most_at_once(), 4);
  EXPECT_GT(server.most_at_once(), 1);
}

TEST_F(HttpPool, TheFirstRequestGoesAloneAndTeachesTheLimits) {
  std::atomic<int> at_once = 0, during_first = 0, turn = 0;
  ParallelHttpServer server([&](const ReceivedRequest&) {
    ++at_once;
    if (turn++ == 0) {
      std::this_thread::sleep_for(milliseconds(60));
      during_first = at_once.load();
    }
    --at_once;
    return ok(R"({"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],
                  "usage":{"prompt_tokens":3,"completion_tokens":2}})",
              "x-ratelimit-limit-requests: 1200\r\nx-ratelimit-remaining-requests: 9\r\n");
  });
  HttpFunction function =
      world_.function("openai:chat/m", {kText}, kText, {{"base_url", server.url("/v1")}});
  const auto pool = world_.pool(std::move(function));
  const auto begun = steady_clock::now();
  for (const Cell& cell : call(*pool, numbered(40))) EXPECT_EQ(text_of(cell), "hi");
  EXPECT_EQ(during_first, 1);
  // 1200 a minute are 20 a second: the first, 20 at once, and the other 19 in a second.
  EXPECT_GE(milliseconds_since(begun), 850);
  EXPECT_LT(milliseconds_since(begun), 2'000);
  const Usage usage = world_.usage.total();
  EXPECT_EQ(usage.tokens_in, 120);
  EXPECT_EQ(usage.tokens_out, 80);
}

TEST_F(HttpPool, EmbeddingsGoTogetherAndAreSplitWhenTooMany) {
  std::mutex mutex;
  std::multiset<std::size_t> sizes;
  ParallelHttpServer server([&](const ReceivedRequest& request) {
    const json input = json::parse(request.body).at("input");
    const std::lock_guard lock(mutex);
    sizes.insert(input.size());
    if (input.size() > 4) return status("413 Payload Too Large");
    json data = json::array();
    for (std::size_t i = 0; i < input.size(); ++i) {
      const auto text = input[i].get<std::string>();
      if (text == "poison") return status("400 Bad Request");
      data.insert(data.begin(), json{{"index", i}, {"embedding", {text.size(), 0.5}}});
    }
    return ok(json{{"data", data}, {"usage", {{"prompt_tokens", input.size()}}}}.dump());
  });
  const auto pool = world_.pool(world_.function("openai:embeddings/m", {kText}, kFloatArray,
                                                {{"base_url", server.url()}, {"batch", "8"}}));
  const std::vector<Cell> cells =
      call(*pool, {"a", "bb", "ccc", "dddd", "poison", "ffffff", "g", "hhhh", "i"});
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i == 4) {
      EXPECT_EQ(failure_of(cells[i]).type, "http");
      continue;
    }
    const auto* const value = std::get_if<Value>(&cells[i]);
    ASSERT_NE(value, nullptr) << failure_of(cells[i]).message;
    EXPECT_EQ(unpack_array(*value).at(1), 0.5);
  }
  EXPECT_EQ(unpack_array(std::get<Value>(cells[3])).at(0), 4);
  EXPECT_EQ(sizes, (std::multiset<std::size_t>{8, 4, 4, 2, 2, 1, 1, 1}));
}

TEST_F(HttpPool, AServiceThatIsAwayIsNotAskedForEver) {
  SystemClock clock;
  CircuitBreakers breakers({8, milliseconds(50), milliseconds(300)}, clock);
  ServiceContext context{world_.media, world_.secrets, world_.limits,
                         breakers,     world_.usage,   clock};
  HttpFunctionPool pool(
      world_.function("json:http://127.0.0.1:1/", {kText}, kText, {{"attempts", "20"}}), context,
      {milliseconds(20), milliseconds(40)});
  const auto begun = steady_clock::now();
  int unavailable = 0;
  for (const Cell& cell : call(pool, numbered(500))) {
    unavailable += failure_of(cell).type == "unavailable" ? 1 : 0;
  }
  EXPECT_GT(unavailable, 400);
  EXPECT_LT(milliseconds_since(begun), 1'000);
  const CellFailure failure = failure_of(call(pool, {"x"}).at(0));
  EXPECT_EQ(failure.type, "unavailable");
  EXPECT_NE(failure.message.find("since"), std::string::npos) << failure.message;
}

TEST_F(HttpPool, AnyAnswerIsAResultOrAFailureOfItsRow) {
  // Every prefix of a good answer, and every byte of it replaced.
  const std::string good = R"({"out":"a\u00e9","more":[1,{"x":null}]})";
  std::vector<std::string> bodies;
  for (std::size_t at = 1; at < good.size(); ++at) {
    bodies.push_back(good.substr(0, at));
    std::string bad = good;
    bad[at] = static_cast<char>(at % 2 == 0 ? '\xfe' : '"');
    bodies.push_back(bad);
  }
  ParallelHttpServer server([&](const ReceivedRequest& request) {
    const auto text = json::parse(request.body).at("a").get<std::string>();
    return ok(bodies.at(std::stoul(text.substr(5))));
  });
  const auto pool = json_pool(server, {{"attempts", "1"}});
  std::size_t failures = 0;
  for (const Cell& cell : call(*pool, numbered(static_cast<int>(bodies.size())))) {
    const auto* const failure = std::get_if<CellFailure>(&cell);
    if (failure == nullptr) continue;
    ++failures;
    EXPECT_EQ(failure->type, "response") << failure->message;
    EXPECT_LT(failure->message.size(), 500u);
  }
  EXPECT_GE(failures, good.size() - 1);
}

TEST_F(HttpPool, ManyCallsAtOnceCostLittle) {
  static constexpr int kCalls = 1'280, kInFlight = 64, kLatencyMs = 20;
  ParallelHttpServer server([](const ReceivedRequest& request) {
    std::this_thread::sleep_for(milliseconds(kLatencyMs));
    return echo(request);
  });
  const auto pool = json_pool(server, {{"in_flight", std::to_string(kInFlight)}});
  call(*pool, numbered(kInFlight));  // connections
  rusage before{}, after{};
  ::getrusage(RUSAGE_THREAD, &before);
  const auto begun = steady_clock::now();
  for (const Cell& cell : call(*pool, numbered(kCalls))) EXPECT_NE(text_of(cell), "");
  const double took_ms = milliseconds_since(begun);
  ::getrusage(RUSAGE_THREAD, &after);
  const auto cpu_ms = [](const rusage& usage) {
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
  };
  const double ideal_ms = static_cast<double>(kCalls) * kLatencyMs / kInFlight;
  const double call_cpu_ms = (cpu_ms(after) - cpu_ms(before)) / kCalls;
  std::printf(
      "%d calls of %d ms, %d in flight: %.0f ms (ideal %.0f, ratio %.2f), CPU %.3f ms a call\n",
      kCalls, kLatencyMs, kInFlight, took_ms, ideal_ms, ideal_ms / took_ms, call_cpu_ms);
  EXPECT_EQ(server.connection_count(), kInFlight);
  EXPECT_LT(took_ms, 4 * ideal_ms);  // the machine may be busy with other things
  EXPECT_LT(call_cpu_ms, 6);         // 10,000 calls a minute take less than one core
}

}  // namespace
}  // namespace coppice::services
