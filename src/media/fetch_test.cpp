// fetch_some against a real server with faults.
#include "media/fetch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <future>

#include "net/testing/http_server.h"

namespace coppice {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using Write = TestHttpServer::Write;

HttpOptions quick() {
  HttpOptions options;
  options.first_backoff = options.most_backoff = milliseconds(1);
  options.attempt_count = 2;
  return options;
}

class FetchTest : public testing::Test {
 protected:
  FetchTest() : scratch_(fs::temp_directory_path(), "fetch_test") {
    for (int i = 0; i < 10; ++i) {
      server_.handle(path(i), [i](const ReceivedRequest&, const Write& write) {
        write(TestHttpServer::answer("200 OK", content(i)));
      });
    }
  }
  static std::string path(int i) { return "/" + std::to_string(i); }
  static std::string content(int i) { return std::string(300, static_cast<char>('a' + i)); }
  std::vector<WantedContent> all() const {
    std::vector<WantedContent> wanted;
    for (int i = 0; i < 10; ++i) wanted.push_back({server_.url(path(i)), {}});
    return wanted;
  }
  std::string bytes(const FetchedContent& result) const {
    return read_file(std::get<CachedObject>(result).file);
  }

  ScratchFolder scratch_;
  SystemClock clock_;
  TestHttpServer server_;
  HttpClient client_{quick(), clock_};
  UrlCache cache_{scratch_.path() / "cache", client_, clock_, {1 << 20, 60'000'000}};
};

TEST_F(FetchTest, GivesAllInTheirOrder) {
  const std::vector<FetchedContent> results = fetch_some(cache_, all(), {.connections = 4});
  ASSERT_EQ(results.size(), 10u);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(bytes(results[static_cast<std::size_t>(i)]), content(i));
  EXPECT_TRUE(fetch_some(cache_, {}, {}).empty());
}

TEST_F(FetchTest, WhatIsWrongWithOneIsItsResult) {
  std::vector<WantedContent> wanted = all();
  wanted[3].url = server_.url("/absent?key=secret");
  wanted[5].url = "http://";
  const std::vector<FetchedContent> results = fetch_some(cache_, wanted, {});
  ASSERT_EQ(results.size(), 10u);
  const Error& absent = std::get<Error>(results[3]);
  EXPECT_EQ(absent.code(), ErrorCode::kNotFound);
  EXPECT_EQ(absent.message().find("secret"), std::string::npos) << absent.message();
  EXPECT_EQ(std::get<Error>(results[5]).code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(bytes(results[9]), content(9));
}

TEST_F(FetchTest, StopsWhereTooMuchIsHeld) {
  const FetchLimits limits{.connections = 1, .held_bytes = 700, .at_least = 1};
  std::vector<WantedContent> wanted = all();
  std::size_t calls = 0;
  for (std::size_t done = 0; done < 10; ++calls) {
    const std::vector<FetchedContent> some = fetch_some(cache_, wanted, limits);
    ASSERT_EQ(some.size(), std::min<std::size_t>(3, wanted.size()));
    EXPECT_EQ(bytes(some[0]), content(static_cast<int>(done)));
    done += some.size();
    wanted.erase(wanted.begin(), wanted.begin() + static_cast<std::ptrdiff_t>(some.size()));
  }
  EXPECT_EQ(calls, 4u);
  const std::vector<FetchedContent> needed =
      fetch_some(cache_, all(), {.connections = 1, .held_bytes = 1, .at_least = 7});
  EXPECT_EQ(needed.size(), 7u) << "what is needed at the same time must come together";
}

TEST_F(FetchTest, AsksNobodyForWhatIsHere) {
  const std::string url = server_.url(path(0));
  const MediaName name = cache_.fetch(url).name;
  const auto again = fetch_some(cache_, {{url, name, Ask::kAlways}}, {});
  EXPECT_EQ(std::get<CachedObject>(again[0]).name.text(), name.text());
  EXPECT_EQ(server_.count(path(0)), 1);
  fetch_some(cache_, {{url, {}, Ask::kAlways}}, {});
  EXPECT_EQ(server_.count(path(0)), 2);
}

TEST_F(FetchTest, AStopEndsWhatIsUnderWay) {
  server_.handle("/hanging", [](const ReceivedRequest&, const Write& write) {
    write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nGIF89a");
    for (int i = 0; i < 200 && write(""); ++i) ::usleep(10'000);
  });
  std::stop_source stop;
  auto call = std::async(std::launch::async, [&] {
    try {
      fetch_some(cache_, {{server_.url("/hanging"), {}}}, {}, stop.get_token());
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::kInternal;
  });
  while (server_.count("/hanging") == 0) ::usleep(1000);
  stop.request_stop();
  EXPECT_EQ(call.get(), ErrorCode::kInterrupted);
}

}  // namespace
}  // namespace coppice
