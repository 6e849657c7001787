// MediaIngest: what a client does with the text a user gives for a media column.
//
// Model    A path (relative to the client's folder) or file:// URL is taken into the store; a data:
//          URL too; an http(s) URL is fetched through the cache and then kept as a reference or
//          taken in; the name of an object in the store stays as it is. The type comes from the
//          content, never from the name. Whether it can be decoded says `validate`, which asks a
//          function worker.
// Threads  take() may be called from several threads at once if `validate` may.
// Errors   kInvalidInput: wrong kind, empty, a folder, not decodable; kNotFound; kUnsupported for
//          other kinds of URL; and what store and cache throw. Messages name the file, what it is
//          and what the column takes. A refused object may stay in the store: the collector's work.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "media/cache.h"
#include "media/sniff.h"
#include "media/store.h"

namespace coppice {

enum class UrlPolicy { kKeep, kTakeIn };

struct IngestOptions {
  std::filesystem::path folder;  // relative paths begin here
  UrlPolicy urls = UrlPolicy::kKeep;
  bool may_link = true;  // MediaStore::put_file
};

// nullopt when the object is a whole, decodable medium of that kind; else what is wrong with it.
using MediaValidator =
    std::function<std::optional<std::string>(MediaKind kind, const MediaName& name)>;

struct Ingested {
  std::string value;  // for the cell: "media:…" or the URL
  MediaName name;     // of the object, or of the URL's content in the cache
  SniffedType type;
  std::optional<CachedObject> cached;  // holds that content, when the URL is kept
};

class MediaIngest {
 public:
  // `store` and `cache` are borrowed; without a cache http(s) URLs are refused. An empty
  // `validate` accepts all.
  MediaIngest(MediaStore& store, UrlCache* cache, IngestOptions options, MediaValidator validate);

  // `column` is for messages: "clip".
  Ingested take(const std::string& text, MediaKind kind, const std::string& column,
                std::stop_token stop = {}) const;
  // The same for an http(s) URL whose content was fetched already.
  Ingested take_fetched(const std::string& url, CachedObject content, MediaKind kind,
                        const std::string& column) const;

 private:
  struct Source;
  Ingested take_file(const std::filesystem::path& file, const Source& source) const;
  CachedObject fetch(const std::string& url, std::stop_token stop) const;
  Ingested take_data(const std::string& url, const Source& source) const;
  Ingested take_name(const std::string& text, const Source& source) const;
  Ingested check(Ingested ingested, const Source& source) const;

  MediaStore& store_;
  UrlCache* cache_;
  IngestOptions options_;
  MediaValidator validate_;
};

}  // namespace coppice
