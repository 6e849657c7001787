// UrlCache against a real server with faults.
#include "media/cache.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <thread>

#include "base/error.h"
#include "net/testing/http_server.h"

namespace coppice {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using Write = TestHttpServer::Write;

// A wall clock that stands still until a test moves it; sleeping is real but short.
class MovableClock final : public Clock {
 public:
  std::int64_t now_us() const override { return now_us_; }
  void sleep(milliseconds) const override { std::this_thread::sleep_for(milliseconds(1)); }
  void advance(std::int64_t us) { now_us_ += us; }

 private:
  std::atomic<std::int64_t> now_us_ = 1'700'000'000'000'000;
};

HttpOptions quick() {
  HttpOptions options;
  options.first_backoff = options.most_backoff = milliseconds(1);
  options.attempt_count = 2;
  options.body_limit_bytes = 1 << 20;
  return options;
}

class UrlCacheTest : public testing::Test {
 protected:
  UrlCacheTest()
      : scratch_(fs::temp_directory_path(), "url_cache_test"), folder_(scratch_.path() / "cache") {}

  UrlCache make_cache(std::uintmax_t limit = 1 << 20) {
    return UrlCache(folder_, client_, clock_, {limit, 60'000'000});
  }
  void serve(const std::string& path, const std::string& bytes) {
    server_.handle(path, [bytes](const ReceivedRequest&, const Write& write) {
      write(TestHttpServer::answer("200 OK", bytes));
    });
  }
  // Answers 304 to whoever has the current ETag.
  void serve_with_etag(const std::string& path) {
    server_.handle(path, [this](const ReceivedRequest& request, const Write& write) {
      const std::string etag = "\"v" + std::to_string(version_.load()) + "\"";
      const auto asked = request.headers.find("if-none-match");
      if (asked != request.headers.end() && asked->second == etag) {
        write("HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n");
      } else {
        write(TestHttpServer::answer("200 OK", "GIF89a version " + std::to_string(version_),
                                     "ETag: " + etag + "\r\nContent-Type: image/gif\r\n"));
      }
    });
  }
  std::size_t files_in(const std::string& name) const {
    std::size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / name))
      count += entry.is_regular_file() ? 1 : 0;
    return count;
  }
  ErrorCode code_of(UrlCache& cache, const std::string& url) {
    try {
      cache.fetch(url);
    } catch (const Error& error) {
      message_ = error.message();
      return error.code();
    }
    ADD_FAILURE() << url << " was fetched";
    return ErrorCode::kInternal;
  }

  ScratchFolder scratch_;
  fs::path folder_;
  MovableClock clock_;
  TestHttpServer server_;
  HttpClient client_{quick(), clock_};
  std::atomic<int> version_ = 1;
  std::string message_;
};

TEST_F(UrlCacheTest, FetchesOnceAndNamesByContent) {
  serve_with_etag("/a.bin");
  UrlCache cache = make_cache();
  const CachedObject first = cache.fetch(server_.url("/a.bin"));
  EXPECT_TRUE(first.fetched);
  EXPECT_EQ(first.name.extension, "gif");
  EXPECT_EQ(first.name.sha256_hex, to_hex(sha256("GIF89a version 1")));
  EXPECT_EQ(first.etag, "\"v1\"");
  EXPECT_EQ(first.content_type, "image/gif");
  EXPECT_EQ(first.size_bytes, 16u);
  EXPECT_EQ(read_file(first.file), "GIF89a version 1");
  const CachedObject again = cache.fetch(server_.url("/a.bin"));
  EXPECT_FALSE(again.fetched);
  EXPECT_EQ(again.file, first.file);
  EXPECT_EQ(server_.count("/a.bin"), 1);
  EXPECT_EQ(files_in("incoming"), 0u);
  // A worker that knows only the folder of the store finds it by its name.
  MediaStore store(scratch_.path() / "media");
  EXPECT_EQ(store.find(first.name), first.file);
}

TEST_F(UrlCacheTest, AsksWhetherItChangedAfterAWhile) {
  serve_with_etag("/a");
  UrlCache cache = make_cache();
  cache.fetch(server_.url("/a"));
  clock_.advance(61'000'000);
  const CachedObject unchanged = cache.fetch(server_.url("/a"));
  EXPECT_FALSE(unchanged.fetched);
  EXPECT_EQ(server_.count("/a"), 2);
  cache.fetch(server_.url("/a"));
  EXPECT_EQ(server_.count("/a"), 2) << "a 304 did not count as a check";
  version_ = 2;
  clock_.advance(61'000'000);
  const CachedObject changed = cache.fetch(server_.url("/a"));
  EXPECT_TRUE(changed.fetched);
  EXPECT_EQ(read_file(changed.file), "GIF89a version 2");
  EXPECT_EQ(files_in("incoming"), 0u);
}

TEST_F(UrlCacheTest, AsksAtOnceWhereThatIsWanted) {
  serve_with_etag("/a");
  UrlCache cache = make_cache();
  const std::string url = server_.url("/a");
  cache.fetch(url);
  version_ = 2;
  EXPECT_EQ(read_file(cache.fetch(url).file), "GIF89a version 1");
  EXPECT_EQ(read_file(cache.fetch(url, {}, Ask::kAlways).file), "GIF89a version 2");
}

TEST_F(UrlCacheTest, FindsContentThatTheUrlGaveEarlierWithoutAsking) {
  serve_with_etag("/a");
  UrlCache cache = make_cache();
  const std::string url = server_.url("/a");
  const MediaName first = cache.fetch(url).name;
  const std::uintmax_t first_size = cache.size_bytes();
  EXPECT_EQ(first_size, 16u);
  version_ = 2;
  cache.fetch(url, {}, Ask::kAlways);
  EXPECT_EQ(cache.size_bytes(), 2 * first_size);
  const int requests = server_.count("/a");
  const std::optional<CachedObject> found = cache.find(url, first);
  ASSERT_TRUE(found);
  EXPECT_EQ(read_file(found->file), "GIF89a version 1");
  EXPECT_EQ(server_.count("/a"), requests);
  EXPECT_FALSE(cache.find(url, MediaName{std::string(64, '0'), "gif"}));
}

TEST_F(UrlCacheTest, AnOldAnswerServesWhileTheServerGivesNone) {
  std::atomic<bool> down = false;
  server_.handle("/a", [&](const ReceivedRequest&, const Write& write) {
    write(down ? TestHttpServer::answer("503 E", "later")
               : TestHttpServer::answer("200 OK", "GIF89a"));
  });
  UrlCache cache = make_cache();
  const std::string url = server_.url("/a");
  cache.fetch(url);
  down = true;
  clock_.advance(3'600'000'000);
  EXPECT_EQ(read_file(cache.fetch(url).file), "GIF89a");
  const int requests = server_.count("/a");
  cache.fetch(url);
  EXPECT_EQ(server_.count("/a"), requests) << "a server that is down was asked again at once";
  EXPECT_EQ(read_file(cache.fetch(url).file), "GIF89a");
  try {
    cache.fetch(url, {}, Ask::kAlways);
    ADD_FAILURE() << "an old answer was given for a new one";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
  }
  clock_.advance(61'000'000);
  cache.fetch(url);
  EXPECT_GT(server_.count("/a"), requests);
  down = false;
  clock_.advance(61'000'000);
  EXPECT_TRUE(cache.fetch(url).fetched);
}

TEST_F(UrlCacheTest, WhatWasLostIsFetchedAgainWithoutACondition) {
  serve_with_etag("/a");
  UrlCache cache = make_cache();
  const fs::path file = cache.fetch(server_.url("/a")).file;
  fs::remove(file);
  EXPECT_TRUE(cache.fetch(server_.url("/a")).fetched);
  EXPECT_EQ(server_.last_request().headers.count("if-none-match"), 0u);
  // A damaged index is a cache that is empty.
  for (const auto& entry : fs::directory_iterator(folder_ / "urls"))
    write_file_atomically(entry.path(), "{\"format\": 1, \"url\"");
  EXPECT_TRUE(cache.fetch(server_.url("/a")).fetched);
}

TEST_F(UrlCacheTest, ErrorsNameTheUrlWithoutItsSecretsAndLeaveNothing) {
  UrlCache cache = make_cache();
  EXPECT_EQ(code_of(cache, server_.url("/missing?token=secret")), ErrorCode::kNotFound);
  EXPECT_NE(message_.find("/missing answers with HTTP status 404"), std::string::npos) << message_;
  EXPECT_EQ(message_.find("secret"), std::string::npos) << message_;
  server_.handle("/forbidden", [](const ReceivedRequest&, const Write& write) {
    write(TestHttpServer::answer("403 Forbidden", "no"));
  });
  EXPECT_EQ(code_of(cache, server_.url("/forbidden")), ErrorCode::kRefused);
  server_.handle("/down", [](const ReceivedRequest&, const Write& write) {
    write(TestHttpServer::answer("500 E", "no"));
  });
  EXPECT_EQ(code_of(cache, server_.url("/down")), ErrorCode::kUnavailable);
  EXPECT_TRUE(is_http_url("HTTPS://h/a") && is_http_url("http://h"));
  EXPECT_FALSE(is_http_url("http:/h") || is_http_url("file:///h") || is_http_url("media:0.jpg"));
  EXPECT_EQ(code_of(cache, "file:///etc/passwd"), ErrorCode::kInvalidInput);
  EXPECT_EQ(files_in("sha256"), 0u);
  EXPECT_EQ(files_in("urls"), 0u);
  EXPECT_EQ(files_in("incoming"), 0u);
}

TEST_F(UrlCacheTest, APartOfABodyIsNeverVisible) {
  std::promise<void> seen;
  auto seen_future = seen.get_future();
  server_.handle("/cut", [&](const ReceivedRequest&, const Write& write) {
    write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nGIF89a");
    seen_future.wait_for(milliseconds(500));
  });
  UrlCache cache = make_cache();
  auto call = std::async(std::launch::async, [&] { return code_of(cache, server_.url("/cut")); });
  while (server_.count("/cut") == 0) std::this_thread::sleep_for(milliseconds(1));
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(files_in("sha256"), 0u);
  seen.set_value();
  EXPECT_EQ(call.get(), ErrorCode::kUnavailable);
  EXPECT_EQ(files_in("sha256"), 0u);
  EXPECT_EQ(files_in("urls"), 0u);
  EXPECT_EQ(files_in("incoming"), 0u);

  server_.handle("/large", [](const ReceivedRequest&, const Write& write) {
    write("HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n");
    for (int i = 0; i < 90 && write(std::string(100'000, 'x')); ++i) {
    }
  });
  EXPECT_EQ(code_of(cache, server_.url("/large")), ErrorCode::kInvalidInput);
  EXPECT_EQ(files_in("incoming"), 0u);
}

TEST_F(UrlCacheTest, WhatWasUsedLongestAgoGoesFirst) {
  for (const char* path : {"/a", "/b", "/c", "/d"}) serve(path, std::string(300, path[1]));
  UrlCache cache = make_cache(1000);
  const fs::path a = cache.fetch(server_.url("/a")).file;
  ::usleep(15'000);
  const fs::path b = cache.fetch(server_.url("/b")).file;
  ::usleep(15'000);
  const fs::path c = cache.fetch(server_.url("/c")).file;
  ::usleep(15'000);
  cache.fetch(server_.url("/a"));  // used again
  ::usleep(15'000);
  const fs::path d = cache.fetch(server_.url("/d")).file;
  EXPECT_TRUE(fs::exists(a));
  EXPECT_FALSE(fs::exists(b));
  EXPECT_TRUE(fs::exists(c));
  EXPECT_TRUE(fs::exists(d));
  EXPECT_EQ(files_in("urls"), 3u);
  EXPECT_EQ(read_file(cache.fetch(server_.url("/b")).file), std::string(300, 'b'));
}

TEST_F(UrlCacheTest, WhatIsHeldIsNotEvicted) {
  serve("/a", std::string(600, 'a'));
  serve("/b", std::string(600, 'b'));
  UrlCache cache = make_cache(1000);
  const CachedObject held = cache.fetch(server_.url("/a"));
  ::usleep(15'000);
  const CachedObject second = cache.fetch(server_.url("/b"));
  EXPECT_TRUE(fs::exists(held.file));
  EXPECT_TRUE(fs::exists(second.file));
}

TEST_F(UrlCacheTest, ManyThreadsFetchOneUrlOnce) {
  serve_with_etag("/a");
  UrlCache cache = make_cache();
  std::vector<std::future<std::string>> calls;
  for (int thread = 0; thread < 6; ++thread) {
    calls.push_back(std::async(std::launch::async,
                               [&] { return read_file(cache.fetch(server_.url("/a")).file); }));
  }
  for (auto& call : calls) EXPECT_EQ(call.get(), "GIF89a version 1");
  EXPECT_EQ(server_.count("/a"), 1);
}

// Two caches on one folder stand for two processes: every lock is on a file.
TEST_F(UrlCacheTest, EvictionByAnotherProcessNeverTakesAFileAway) {
  for (int i = 0; i < 8; ++i)
    serve("/" + std::to_string(i), std::string(300, static_cast<char>('a' + i)));
  std::vector<std::future<int>> calls;
  for (int thread = 0; thread < 4; ++thread) {
    calls.push_back(std::async(std::launch::async, [&, thread] {
      UrlCache cache = make_cache(700);
      int right = 0;
      for (int round = 0; round < 20; ++round) {
        const int page = (thread * 3 + round) % 8;
        const CachedObject object = cache.fetch(server_.url("/" + std::to_string(page)));
        right += read_file(object.file) == std::string(300, static_cast<char>('a' + page)) ? 1 : 0;
      }
      return right;
    }));
  }
  for (auto& call : calls) EXPECT_EQ(call.get(), 20);
}

}  // namespace
}  // namespace coppice
