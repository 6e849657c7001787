// UrlCache: local copies of what http(s) references point to.
//
// Model    A URL's content is kept under HOME/cache by the rule of the media store, so a function
//          worker finds it by its media name. After `revalidate_after` the server is asked whether
//          it has changed (If-None-Match, If-Modified-Since). When the cache grows above its limit
//          what was used longest ago goes, but nothing that a CachedObject still holds.
//          The index (HOME/cache/urls) is a cache too: an entry that cannot be read is fetched
//          again.
// Units    Sizes are bytes, times microseconds of the wall clock.
// Threads  Every method may be called from any thread and any process at any time; two that want
//          the same URL fetch it once.
// Errors   kNotFound (404, 410), kRefused (401, 403), kUnavailable (no good answer after retries),
//          kInvalidInput (URL, size limit), kDiskFull, kInterrupted: each names the URL, without
//          its query.
// Source   RFC 9110, section 13 (conditions); RFC 5861, section 4 (stale-if-error).
#pragma once

#include <atomic>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/files.h"
#include "base/process.h"
#include "media/store.h"
#include "net/http_client.h"

namespace coppice {

// Content in the cache. It stays there as long as this object lives.
struct CachedObject {
  MediaName name;  // the extension is from the content, "bin" when its type is unknown
  std::filesystem::path file;
  std::uintmax_t size_bytes = 0;
  std::string etag;          // empty when the server gave none
  std::string content_type;  // what the server said
  bool fetched = false;      // false when it was here already
  FileDescriptor lease;
};

struct UrlCacheOptions {
  std::uintmax_t size_limit_bytes = std::uintmax_t{8} << 30;
  std::int64_t revalidate_after_us = 300'000'000;
};

// True for http:// and https:// addresses.
bool is_http_url(std::string_view text);

// kAlways: the answer is what the server has now, and an error when it does not say.
enum class Ask { kWhenOld, kAlways };

class UrlCache {
 public:
  // `folder` is HOME/cache, created when missing. `client` and `clock` are borrowed. What is
  // fetched is given to `owner` when we are root, so that workers can read it.
  UrlCache(std::filesystem::path folder, HttpClient& client, const Clock& clock,
           UrlCacheOptions options = {}, std::optional<Account> owner = std::nullopt);

  CachedObject fetch(const std::string& url, std::stop_token stop = {}, Ask ask = Ask::kWhenOld);

  // Content that is here, without asking anybody; it counts as a use of the URL. nullopt when it
  // is not here (any more).
  std::optional<CachedObject> find(const std::string& url, const MediaName& name) const;

  std::uintmax_t size_bytes() const;  // looks at every object
  const UrlCacheOptions& options() const { return options_; }

  // Removes what was used longest ago until the cache is below nine tenths of its limit; does
  // nothing below the limit. fetch() calls it whenever a 64th of the limit has been added.
  void evict();

 private:
  struct Entry;
  std::filesystem::path entry_path(const std::string& url) const;
  FileDescriptor lock_url(const std::string& url, const std::stop_token& stop) const;
  static std::optional<Entry> read_entry(const std::filesystem::path& file);
  static void write_entry(const std::filesystem::path& file, const Entry& entry);
  std::optional<CachedObject> open_object(const MediaName& name) const;
  std::optional<CachedObject> open_entry(const Entry& entry) const;
  CachedObject ask_server(const std::string& url, std::optional<Entry> known,
                          const std::stop_token& stop);
  std::optional<CachedObject> download(const std::string& url, const std::optional<Entry>& known,
                                       const std::stop_token& stop);
  void ask_again_later(const Entry& entry) const;
  bool remove_object(const MediaName& name, std::int64_t changed_us);
  void evict_when_due(std::uintmax_t fetched_bytes);

  std::filesystem::path folder_;
  HttpClient& client_;
  const Clock& clock_;
  UrlCacheOptions options_;
  MediaStore store_;
  std::atomic<bool> counted_ = false;  // the size of the cache has been looked at
  std::atomic<std::uintmax_t> fetched_since_bytes_ = 0;
};

}  // namespace coppice
