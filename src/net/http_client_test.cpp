// HttpClient against a real server with faults.
#include "net/http_client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "base/error.h"
#include "net/testing/http_server.h"

namespace coppice {
namespace {

using std::chrono::milliseconds;
using Write = TestHttpServer::Write;

class HttpClientTest : public testing::Test {
 protected:
  static HttpOptions quick() {
    HttpOptions options;
    options.first_backoff = milliseconds(1);
    options.most_backoff = milliseconds(4);
    options.attempt_count = 3;
    options.redirect_limit = 4;
    options.body_limit_bytes = 1 << 20;
    return options;
  }
  HttpResponse get(const std::string& path, HttpSink* sink = nullptr) {
    return client_.send({"GET", server_.url(path), {}, "", sink});
  }
  Error error_of(const std::string& url, HttpSink* sink = nullptr) {
    try {
      client_.send({"GET", url, {}, "", sink});
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << url << " gave an answer";
    return Error(ErrorCode::kInternal, "");
  }
  // Answers with each of these in turn, and the last one from then on.
  void answer_in_turn(const std::string& path, std::vector<std::string> answers) {
    server_.handle(path, [this, path, answers](const ReceivedRequest&, const Write& write) {
      const auto turn = static_cast<std::size_t>(server_.count(path));
      write(answers[std::min(turn, answers.size()) - 1]);
    });
  }

  SystemClock clock_;
  TestHttpServer server_;
  HttpClient client_{quick(), clock_};
};

class TextSink final : public HttpSink {
 public:
  void reset() override {
    text.clear();
    ++resets;
  }
  void take(std::string_view bytes) override {
    if (throw_at_take) throw Error(ErrorCode::kDiskFull, "the sink is full");
    text.append(bytes);
  }
  std::string text;
  int resets = 0;
  bool throw_at_take = false;
};

TEST_F(HttpClientTest, GivesStatusHeadersAndBody) {
  answer_in_turn("/a", {TestHttpServer::answer("200 OK", "hello", "ETag: \"x1\"\r\n")});
  const HttpResponse response = get("/a");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "hello");
  EXPECT_EQ(response.body_bytes, 5u);
  EXPECT_EQ(response.header("etag"), "\"x1\"");
  EXPECT_EQ(response.header("absent"), "");
  EXPECT_EQ(response.effective_url, server_.url("/a"));
}

TEST_F(HttpClientTest, AMissingPageIsAnAnswerAndNotTriedAgain) {
  const HttpResponse response = get("/missing");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body, "there is nothing here");
  EXPECT_EQ(server_.count("/missing"), 1);
}

TEST_F(HttpClientTest, SendsMethodHeadersAndBody) {
  answer_in_turn("/put", {TestHttpServer::answer("201 Created", "")});
  const std::string body(100'000, 'b');
  const HttpResponse response =
      client_.send({"PUT", server_.url("/put"), {{"If-None-Match", "*"}}, body, nullptr});
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(server_.last_request().method, "PUT");
  EXPECT_EQ(server_.last_request().headers.at("if-none-match"), "*");
  EXPECT_EQ(server_.last_request().body, body);
  EXPECT_THROW(client_.send({"GET", server_.url("/put"), {{"A", "b\r\nC: d"}}, "", nullptr}),
               Error);
}

TEST_F(HttpClientTest, TriesAgainAfterAServerErrorAndResetsTheSink) {
  for (const char* status : {"500 E", "503 E", "429 E", "408 E"}) {
    const std::string path = std::string("/") + std::string(status).substr(0, 3);
    answer_in_turn(
        path, {TestHttpServer::answer(status, "not yet"), TestHttpServer::answer("200 OK", "now")});
    TextSink sink;
    EXPECT_EQ(get(path, &sink).status, 200);
    EXPECT_EQ(sink.text, "now");
    EXPECT_EQ(sink.resets, 2);
    EXPECT_EQ(server_.count(path), 2);
  }
}

TEST_F(HttpClientTest, GivesTheLastAnswerWhenTheServerStaysBroken) {
  answer_in_turn("/down", {TestHttpServer::answer("503 E", "down")});
  EXPECT_EQ(get("/down").status, 503);
  EXPECT_EQ(server_.count("/down"), 3);
}

class CountingClock final : public Clock {
 public:
  std::int64_t now_us() const override { return 0; }
  void sleep(milliseconds duration) const override { slept_ += duration; }
  milliseconds slept() const { return slept_; }

 private:
  mutable milliseconds slept_{0};
};

TEST_F(HttpClientTest, WaitsAsLongAsRetryAfterAsks) {
  answer_in_turn("/busy", {TestHttpServer::answer("429 E", "", "Retry-After: 7\r\n"),
                           TestHttpServer::answer("200 OK", "now")});
  CountingClock clock;
  HttpClient client(quick(), clock);
  EXPECT_EQ(client.send({"GET", server_.url("/busy"), {}, "", nullptr}).status, 200);
  EXPECT_EQ(clock.slept(), milliseconds(7000));
}

TEST_F(HttpClientTest, ATruncatedBodyIsTriedAgainAndNeverTakenForWhole) {
  const std::string cut =
      "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nConnection: close\r\n\r\nonly this";
  answer_in_turn("/cut_once", {cut, TestHttpServer::answer("200 OK", "whole")});
  TextSink sink;
  EXPECT_EQ(get("/cut_once", &sink).status, 200);
  EXPECT_EQ(sink.text, "whole");
  answer_in_turn("/cut", {cut});
  const Error error = error_of(server_.url("/cut"));
  EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
  EXPECT_NE(error.message().find("3 attempts"), std::string::npos) << error.message();
  answer_in_turn("/chunked",
                 {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nbroken off"});
  EXPECT_EQ(error_of(server_.url("/chunked")).code(), ErrorCode::kUnavailable);
  answer_in_turn("/silent", {""});
  EXPECT_EQ(error_of(server_.url("/silent")).code(), ErrorCode::kUnavailable);
}

TEST_F(HttpClientTest, NobodyThereIsUnavailable) {
  EXPECT_EQ(error_of("http://127.0.0.1:1/").code(), ErrorCode::kUnavailable);
}

TEST_F(HttpClientTest, RedirectsAreFollowedToHttpOnlyAndNotForEver) {
  answer_in_turn("/from",
                 {TestHttpServer::answer("302 Found", "", "Location: /to\r\nX-Old: 1\r\n")});
  answer_in_turn("/to", {TestHttpServer::answer("200 OK", "here")});
  const HttpResponse response = get("/from");
  EXPECT_EQ(response.body, "here");
  EXPECT_EQ(response.effective_url, server_.url("/to"));
  EXPECT_EQ(response.header("x-old"), "") << "a header of the redirect is left";

  answer_in_turn("/loop", {TestHttpServer::answer("302 Found", "", "Location: /loop\r\n")});
  EXPECT_EQ(error_of(server_.url("/loop")).code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(server_.count("/loop"), 5);

  answer_in_turn("/file",
                 {TestHttpServer::answer("302 Found", "", "Location: file:///etc/passwd\r\n")});
  const Error error = error_of(server_.url("/file"));
  EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
  EXPECT_NE(error.message().find("not http"), std::string::npos) << error.message();
}

TEST_F(HttpClientTest, OtherUrlsAreRefused) {
  for (const char* url : {"file:///etc/passwd", "ftp://127.0.0.1/x", "", "gopher://x", "http://"}) {
    EXPECT_EQ(error_of(url).code(), ErrorCode::kInvalidInput) << url;
  }
}

TEST_F(HttpClientTest, ABodyAboveTheLimitIsRefusedWithoutBeingRead) {
  server_.handle("/endless", [](const ReceivedRequest&, const Write& write) {
    if (!write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")) return;
    for (int i = 0; i < 10'000 && write(std::string(64 << 10, 'x')); ++i) {
    }
  });
  const Error error = error_of(server_.url("/endless"));
  EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
  EXPECT_NE(error.message().find("larger than the limit of 1"), std::string::npos)
      << error.message();
  EXPECT_EQ(server_.count("/endless"), 1);
}

TEST_F(HttpClientTest, ASlowServerTimesOut) {
  server_.handle("/slow", [](const ReceivedRequest&, const Write& write) {
    write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
    for (int i = 0; i < 100 && write("x"); ++i) std::this_thread::sleep_for(milliseconds(20));
  });
  HttpOptions options = quick();
  options.total_timeout = milliseconds(150);
  options.attempt_count = 1;
  HttpClient client(options, clock_);
  EXPECT_THROW(client.send({"GET", server_.url("/slow"), {}, "", nullptr}), Error);
}

TEST_F(HttpClientTest, StopInterruptsATransferAndAPause) {
  server_.handle("/hang", [](const ReceivedRequest&, const Write& write) {
    write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
    for (int i = 0; i < 400 && write("x"); ++i) std::this_thread::sleep_for(milliseconds(5));
  });
  answer_in_turn("/later", {TestHttpServer::answer("503 E", "", "Retry-After: 50\r\n")});
  for (const char* path : {"/hang", "/later"}) {
    std::stop_source stop;
    auto call = std::async(std::launch::async, [&] {
      client_.send({"GET", server_.url(path), {}, "", nullptr}, stop.get_token());
    });
    while (server_.count(path) == 0) std::this_thread::sleep_for(milliseconds(2));
    std::this_thread::sleep_for(milliseconds(30));
    stop.request_stop();
    try {
      call.get();
      FAIL() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
    }
  }
}

TEST_F(HttpClientTest, WhatASinkThrowsPassesThrough) {
  answer_in_turn("/a", {TestHttpServer::answer("200 OK", "hello")});
  TextSink sink;
  sink.throw_at_take = true;
  EXPECT_EQ(error_of(server_.url("/a"), &sink).code(), ErrorCode::kDiskFull);
  EXPECT_EQ(server_.count("/a"), 1);
}

TEST_F(HttpClientTest, ManyThreadsShareAClient) {
  answer_in_turn("/a", {TestHttpServer::answer("200 OK", "hello")});
  std::vector<std::future<int>> calls;
  for (int thread = 0; thread < 6; ++thread) {
    calls.push_back(std::async(std::launch::async, [&] {
      int right = 0;
      for (int i = 0; i < 20; ++i) right += get("/a").body == "hello" ? 1 : 0;
      return right;
    }));
  }
  for (auto& call : calls) EXPECT_EQ(call.get(), 20);
}

TEST(PrintableUrl, HidesWhatMayBeSecret) {
  EXPECT_EQ(printable_url("https://user:pass@host/path?token=1#x"), "https://host/path");
  EXPECT_EQ(printable_url("http://host/a@b"), "http://host/a@b");
  EXPECT_EQ(printable_url("not a url"), "not a url");
}

}  // namespace
}  // namespace coppice
