// HttpMulti against real servers, and what answers ask to wait.
#include "net/http_multi.h"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <thread>

#include "base/error.h"
#include "net/retry_after.h"
#include "net/testing/http_server.h"
#include "net/testing/parallel_http_server.h"

namespace coppice {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::vector<HttpEnd> drain(HttpMulti& multi) {
  std::vector<HttpEnd> all;
  while (multi.in_flight() > 0) {
    for (HttpEnd& end : multi.wait(milliseconds(1000))) all.push_back(std::move(end));
  }
  return all;
}

HttpRequest post(const std::string& url, const std::string& body) {
  return {"POST", url, {{"Content-Type", "application/json"}}, body, nullptr};
}

HttpEnd one(const std::string& url, milliseconds timeout = milliseconds(2000),
            HttpMultiOptions options = {}) {
  HttpMulti multi(options);
  multi.start(7, post(url, "{}"), timeout);
  std::vector<HttpEnd> ends = drain(multi);
  EXPECT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends.at(0).id, 7u);
  return std::move(ends.at(0));
}

TEST(HttpMulti, RequestsRunAtTheSameTimeOverKeptConnections) {
  ParallelHttpServer server([](const ReceivedRequest& request) {
    std::this_thread::sleep_for(milliseconds(20));
    return ParallelHttpServer::answer("200 OK", request.body);
  });
  HttpMulti multi({});
  std::set<std::string> bodies;
  for (int round = 0; round < 5; ++round) {
    for (std::uint64_t i = 0; i < 16; ++i) {
      multi.start(i, post(server.url("/x"), std::to_string(round * 16 + static_cast<int>(i))),
                  milliseconds(5000));
    }
    for (const HttpEnd& end : drain(multi)) {
      ASSERT_EQ(end.outcome, HttpOutcome::kAnswered) << end.reason;
      EXPECT_EQ(end.response.body, std::to_string(round * 16 + static_cast<int>(end.id)));
      bodies.insert(end.response.body);
    }
  }
  EXPECT_EQ(bodies.size(), 80u);
  EXPECT_EQ(server.connection_count(), 16);
  EXPECT_GT(server.most_at_once(), 8);
}

TEST(HttpMulti, EveryWayToEndIsTold) {
  TestHttpServer server;
  const auto answers = [&](const std::string& path, const std::string& bytes) {
    server.handle(path, [bytes](const ReceivedRequest&, const TestHttpServer::Write& write) {
      write(bytes);
    });
  };
  answers("/half", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
  answers("/closed", "");
  answers("/moved", TestHttpServer::answer("302 Found", "", "Location: /there\r\n"));
  answers("/bad", TestHttpServer::answer("400 Bad Request", "what is wrong"));
  answers("/large", TestHttpServer::answer("200 OK", std::string(5000, 'x')));
  server.handle("/hang", [](const ReceivedRequest&, const TestHttpServer::Write&) {
    std::this_thread::sleep_for(milliseconds(300));
  });
  EXPECT_EQ(one(server.url("/half")).outcome, HttpOutcome::kBroken);
  EXPECT_EQ(one(server.url("/closed")).outcome, HttpOutcome::kBroken);
  EXPECT_EQ(one(server.url("/moved")).response.status, 302);
  EXPECT_EQ(server.count("/there"), 0);
  EXPECT_EQ(one(server.url("/bad")).response.body, "what is wrong");
  HttpMultiOptions small;
  small.body_limit_bytes = 1000;
  EXPECT_EQ(one(server.url("/large"), milliseconds(2000), small).outcome, HttpOutcome::kTooLarge);
  EXPECT_EQ(one(server.url("/hang"), milliseconds(100)).outcome, HttpOutcome::kTimedOut);
  EXPECT_EQ(one("http://127.0.0.1:1/").outcome, HttpOutcome::kBroken);
}

TEST(HttpMulti, WhatCannotBeSentIsRefused) {
  HttpMulti multi({});
  EXPECT_THROW(multi.start(1, post("file:///etc/passwd", ""), milliseconds(10)), Error);
  HttpRequest split = post("http://127.0.0.1/", "");
  split.headers.push_back({"X", "a\r\nY: b"});
  EXPECT_THROW(multi.start(1, split, milliseconds(10)), Error);
  EXPECT_EQ(multi.in_flight(), 0u);
}

TEST(HttpMulti, WakeEndsAWait) {
  ParallelHttpServer server([](const ReceivedRequest&) {
    std::this_thread::sleep_for(milliseconds(500));
    return std::string();
  });
  HttpMulti multi({});
  multi.start(1, post(server.url("/"), "{}"), milliseconds(5000));
  multi.wait(milliseconds(20));
  const auto begun = steady_clock::now();
  std::thread waker([&] {
    std::this_thread::sleep_for(milliseconds(50));
    multi.wake();
  });
  while (multi.wait(milliseconds(10'000)).empty() &&
         steady_clock::now() - begun < milliseconds(40)) {
  }
  EXPECT_LT(steady_clock::now() - begun, milliseconds(400));
  waker.join();
  multi.cancel_all();
  EXPECT_EQ(multi.in_flight(), 0u);
}

TEST(RetryAfter, SecondsMillisecondsAndDates) {
  const std::int64_t now_us = 784'111'777'000'000;  // Sun, 06 Nov 1994 08:49:37 GMT
  const auto asked = [&](const std::string& name, const std::string& value) {
    HttpResponse response;
    response.headers.emplace(name, value);
    return retry_after(response, now_us);
  };
  EXPECT_EQ(asked("retry-after", "3"), milliseconds(3000));
  EXPECT_EQ(asked("retry-after", "0"), milliseconds(0));
  EXPECT_EQ(asked("retry-after-ms", "250"), milliseconds(250));
  EXPECT_EQ(asked("retry-after", "Sun, 06 Nov 1994 08:49:42 GMT"), milliseconds(5000));
  EXPECT_EQ(asked("retry-after", "Sun, 06 Nov 1994 08:49:00 GMT"), milliseconds(0));
  for (const char* const text : {"", "-1", "soon", "1e", "nan", "12 parsecs"}) {
    EXPECT_EQ(asked("retry-after", text), std::nullopt) << text;
  }
  EXPECT_EQ(parse_time_us("1994-11-06T08:49:37Z"), now_us);
  EXPECT_EQ(parse_time_us("1994-11-06T08:49:37.25Z"), now_us);
  EXPECT_EQ(parse_time_us("1994-11-06T08:49:37+02:00"), std::nullopt);
}

}  // namespace
}  // namespace coppice
