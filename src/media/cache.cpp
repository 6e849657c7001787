#include "media/cache.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "media/sniff.h"

namespace coppice {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// A line of the index: what is known about a URL.
struct UrlCache::Entry {
  std::string url;
  std::string name;
  std::string etag;
  std::string last_modified;
  std::string content_type;
  std::int64_t checked_us = 0;
};

namespace {

constexpr int kEntryFormat = 1;
constexpr int kLeaseAttempts = 5;
// Content without an entry may be on the way to its entry for so long.
constexpr std::int64_t kOrphanAgeUs = 3'600'000'000;
// For so long a server that gave no good answer is not asked whether something changed.
constexpr std::int64_t kAskAgainAfterUs = 60'000'000;

class WriterSink final : public HttpSink {
 public:
  explicit WriterSink(MediaWriter& writer) : writer_(writer) {}
  void reset() override { writer_.reset(); }
  void take(std::string_view bytes) override { writer_.append(bytes); }

 private:
  MediaWriter& writer_;
};

[[noreturn]] void throw_status(const std::string& url, const HttpResponse& response) {
  const std::string message =
      fmt::format("{} answers with HTTP status {}", printable_url(url), response.status);
  switch (response.status) {
    case 404:
    case 410:
      throw Error(ErrorCode::kNotFound, message, "check the address");
    case 401:
    case 403:
      throw Error(ErrorCode::kRefused, message, "check the address and what it asks for");
    default:
      throw Error(ErrorCode::kUnavailable, message, "try again later");
  }
}

void make_private_folder(const fs::path& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    throw_errno("create " + folder.string());
}

void mark_used(const fs::path& entry) { ::utimensat(AT_FDCWD, entry.c_str(), nullptr, 0); }

}  // namespace

bool is_http_url(std::string_view text) {
  return starts_with_ignoring_case(text, "http://") || starts_with_ignoring_case(text, "https://");
}

UrlCache::UrlCache(fs::path folder, HttpClient& client, const Clock& clock, UrlCacheOptions options,
                   std::optional<Account> owner)
    : folder_(std::move(folder)),
      client_(client),
      clock_(clock),
      options_(options),
      store_(folder_, std::move(owner)) {
  // URLs may carry keys in their query: the index is for us alone, not for workers.
  make_private_folder(folder_ / "urls");
  make_private_folder(folder_ / "locks");
}

fs::path UrlCache::entry_path(const std::string& url) const {
  return folder_ / "urls" / (to_hex(sha256(url)) + ".json");
}

// 256 locks for all URLs: two URLs that share one wait for each other, which is rare and harmless.
FileDescriptor UrlCache::lock_url(const std::string& url, const std::stop_token& stop) const {
  const fs::path file = folder_ / "locks" / to_hex(sha256(url)).substr(0, 2);
  for (;;) {
    if (std::optional<FileDescriptor> lock = try_lock_file(file)) return std::move(*lock);
    if (stop.stop_requested()) {
      throw Error(ErrorCode::kInterrupted,
                  fmt::format("interrupted while waiting for {}", printable_url(url)));
    }
    clock_.sleep(std::chrono::milliseconds(5));
  }
}

std::optional<UrlCache::Entry> UrlCache::read_entry(const fs::path& file) {
  try {
    const Json json = Json::parse(read_file(file));
    if (json.at("format") != kEntryFormat) return std::nullopt;
    return Entry{json.at("url"),           json.at("name"),         json.at("etag"),
                 json.at("last_modified"), json.at("content_type"), json.at("checked_us")};
  } catch (const Json::exception&) {
    return std::nullopt;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kNotFound) return std::nullopt;
    throw;
  }
}

void UrlCache::write_entry(const fs::path& file, const Entry& entry) {
  const Json json{{"format", kEntryFormat},
                  {"url", entry.url},
                  {"name", entry.name},
                  {"etag", entry.etag},
                  {"last_modified", entry.last_modified},
                  {"content_type", entry.content_type},
                  {"checked_us", entry.checked_us}};
  write_file_atomically(file, json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

// Opens and leases content; nullopt when it has been evicted.
std::optional<CachedObject> UrlCache::open_object(const MediaName& name) const {
  CachedObject object;
  object.name = name;
  object.file = store_.path_of(name);
  object.lease = FileDescriptor(::open(object.file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!object.lease) {
    if (errno == ENOENT) return std::nullopt;
    throw_errno("open " + object.file.string());
  }
  while (::flock(object.lease.get(), LOCK_SH) != 0) {
    if (errno != EINTR) throw_errno("lock " + object.file.string());
  }
  struct stat status {};
  if (::fstat(object.lease.get(), &status) != 0) throw_errno("examine " + object.file.string());
  if (status.st_nlink == 0) return std::nullopt;  // evicted between open and lock
  object.size_bytes = static_cast<std::uintmax_t>(status.st_size);
  return object;
}

std::optional<CachedObject> UrlCache::open_entry(const Entry& entry) const {
  const std::optional<MediaName> name = MediaName::parse(entry.name);
  if (!name) return std::nullopt;
  std::optional<CachedObject> object = open_object(*name);
  if (!object) return std::nullopt;
  object->etag = entry.etag;
  object->content_type = entry.content_type;
  return object;
}

std::optional<CachedObject> UrlCache::find(const std::string& url, const MediaName& name) const {
  std::optional<CachedObject> object = open_object(name);
  if (object) mark_used(entry_path(url));
  return object;
}

CachedObject UrlCache::fetch(const std::string& url, std::stop_token stop, Ask ask) {
  const FileDescriptor lock = lock_url(url, stop);
  const fs::path file = entry_path(url);
  std::optional<Entry> known = read_entry(file);
  if (known && known->url != url) known.reset();
  std::optional<CachedObject> object;
  if (known) {
    object = open_entry(*known);
    if (!object) known.reset();  // nothing to compare with: ask for all of it
  }
  const bool fresh = known && clock_.now_us() - known->checked_us < options_.revalidate_after_us;
  if (fresh && ask == Ask::kWhenOld) {
    mark_used(file);
    return std::move(*object);
  }
  try {
    return ask_server(url, known, stop);
  } catch (const Error& error) {
    const bool no_answer = error.code() == ErrorCode::kUnavailable;
    if (!object || !no_answer || ask == Ask::kAlways) throw;
    ask_again_later(*known);
    return std::move(*object);
  }
}

void UrlCache::ask_again_later(const Entry& entry) const {
  Entry later = entry;
  const std::int64_t wait_us = std::min(kAskAgainAfterUs, options_.revalidate_after_us);
  later.checked_us = clock_.now_us() - options_.revalidate_after_us + wait_us;
  write_entry(entry_path(entry.url), later);
}

CachedObject UrlCache::ask_server(const std::string& url, std::optional<Entry> known,
                                  const std::stop_token& stop) {
  // Content that has an old entry may be evicted between its arrival and our lease on it.
  for (int attempt = 1; attempt <= kLeaseAttempts; ++attempt) {
    std::optional<CachedObject> object = download(url, known, stop);
    if (object && object->fetched) evict_when_due(object->size_bytes);
    if (object) return std::move(*object);
    known.reset();
  }
  throw Error(
      ErrorCode::kBusy,
      fmt::format("{} is evicted from the cache as soon as it is fetched", printable_url(url)),
      "raise the limit of the cache");
}

// Looking at every object costs time: it is done once at first and then in steps.
void UrlCache::evict_when_due(std::uintmax_t fetched_bytes) {
  const bool first = !counted_.exchange(true);
  const std::uintmax_t since = fetched_since_bytes_ += fetched_bytes;
  if (!first && since < options_.size_limit_bytes / 64) return;
  fetched_since_bytes_ = 0;
  evict();
}

std::optional<CachedObject> UrlCache::download(const std::string& url,
                                               const std::optional<Entry>& known,
                                               const std::stop_token& stop) {
  HttpRequest request;
  request.url = url;
  if (known && !known->etag.empty()) request.headers.emplace_back("If-None-Match", known->etag);
  if (known && !known->last_modified.empty())
    request.headers.emplace_back("If-Modified-Since", known->last_modified);
  MediaWriter writer(store_);
  WriterSink sink(writer);
  request.sink = &sink;
  const HttpResponse response = client_.send(request, stop);

  const bool unchanged = known && response.status == 304;
  if (!unchanged && response.status != 200) throw_status(url, response);
  Entry entry;
  if (unchanged) {
    entry = *known;
  } else {
    const std::optional<SniffedType> type = sniff(writer.first_bytes());
    entry.url = url;
    entry.name = writer.finish(type ? type->extension : "bin").text();
    entry.etag = response.header("etag");
    entry.last_modified = response.header("last-modified");
    entry.content_type = response.header("content-type");
  }
  entry.checked_us = clock_.now_us();
  // The lease comes before the entry: what has no entry is not evicted while it is young.
  std::optional<CachedObject> object = open_entry(entry);
  if (!object) return std::nullopt;
  write_entry(entry_path(url), entry);
  object->fetched = !unchanged;
  return object;
}

std::uintmax_t UrlCache::size_bytes() const {
  std::uintmax_t total_bytes = 0;
  store_.for_each([&](const MediaName&, std::uintmax_t size_bytes, std::int64_t) {
    total_bytes += size_bytes;
  });
  return total_bytes;
}

// Removes content unless somebody holds it or has stored it again since `changed_us`.
bool UrlCache::remove_object(const MediaName& name, std::int64_t changed_us) {
  const fs::path file = store_.path_of(name);
  const FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return errno == ENOENT;
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return false;  // somebody reads it
  return store_.remove_if_older(name, changed_us + 1);
}

void UrlCache::evict() {
  store_.sweep_incoming(kOrphanAgeUs);  // what processes that died had begun to fetch
  struct Stored {
    MediaName name;
    std::uintmax_t size_bytes = 0;
    std::int64_t changed_us = 0;
    std::int64_t used_ns = 0;
    std::vector<fs::path> entries;
  };
  std::map<std::string, Stored> objects;
  std::uintmax_t total_bytes = 0;
  store_.for_each([&](const MediaName& name, std::uintmax_t size_bytes, std::int64_t changed_us) {
    objects[name.text()] = {name, size_bytes, changed_us, 0, {}};
    total_bytes += size_bytes;
  });
  if (total_bytes <= options_.size_limit_bytes) return;
  const std::optional<FileDescriptor> only_one = try_lock_file(folder_ / "locks" / "evict");
  if (!only_one) return;  // another process does it

  for (const fs::directory_entry& file : fs::directory_iterator(folder_ / "urls")) {
    struct stat status {};
    const std::optional<Entry> entry = read_entry(file.path());
    if (!entry || ::stat(file.path().c_str(), &status) != 0) continue;
    const auto found = objects.find(entry->name);
    if (found == objects.end()) continue;
    found->second.entries.push_back(file.path());
    found->second.used_ns =
        std::max(found->second.used_ns,
                 std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec);
  }
  std::vector<const Stored*> oldest_first;
  const std::int64_t now_us = SystemClock().now_us();
  for (const auto& [text, object] : objects) {
    const bool may_be_new = object.entries.empty() && object.changed_us > now_us - kOrphanAgeUs;
    if (!may_be_new) oldest_first.push_back(&object);
  }
  std::sort(oldest_first.begin(), oldest_first.end(),
            [](const Stored* a, const Stored* b) { return a->used_ns < b->used_ns; });
  for (const Stored* object : oldest_first) {
    if (total_bytes <= options_.size_limit_bytes / 10 * 9) break;
    if (!remove_object(object->name, object->changed_us)) continue;
    // An entry whose content is gone is harmless, so a crash here is too.
    for (const fs::path& entry : object->entries) fs::remove(entry);
    total_bytes -= object->size_bytes;
  }
}

}  // namespace coppice
