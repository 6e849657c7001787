// References: what the http(s) URLs in media columns gave when their cells were written.
//
// Model    A kept URL stays in its cell; what it gave (digest, size, ETag) is a record in
//          coppice.media_references. A record belongs to the operation that wrote the cell: others
//          see it once that is published, the operation itself at once. Of several records of a
//          URL the one published last counts. Functions accept the recorded content alone, so a
//          result never changes because a server does; writing the cell again takes new content.
// Threads  As the context.
// Source   docs/formats/media_store.md, "References"
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/context.h"

namespace coppice::engine {

// While it lives, what is read belongs to this operation: it sees its own records, and content
// that is read for the first time is recorded for it.
class WritingScope {
 public:
  WritingScope(EngineContext& context, const catalog::Operation& operation)
      : context_(context), before_(context.writing) {
    context.writing = &operation;
  }
  ~WritingScope() { context_.writing = before_; }
  WritingScope(const WritingScope&) = delete;
  WritingScope& operator=(const WritingScope&) = delete;

 private:
  EngineContext& context_;
  const catalog::Operation* before_;
};

// Whether URLs that the column is given stay URLs.
bool keeps_references(const EngineContext& context, const catalog::ColumnInfo& column);

struct ReferenceRecord {
  std::string url;
  std::optional<MediaName> name;  // none: nobody has looked at the content yet
  std::string kind;
  std::string mime;
  std::uintmax_t size_bytes = 0;
  std::string etag;
  std::string facts;       // JSON, from the probe; may be empty
  std::string checked_at;  // of what was read from the catalog
};

// By URL; those that are not recorded are not in it.
std::unordered_map<std::string, ReferenceRecord> recorded_references(
    EngineContext& context, const std::vector<std::string>& urls);
void record_references(EngineContext& context, const catalog::Operation& operation,
                       const std::vector<ReferenceRecord>& records);
// Cells with these URLs are written without a look at the content: what was recorded earlier does
// not bind them.
void record_unread(EngineContext& context, const catalog::Operation& operation,
                   const std::vector<std::string>& urls);

// The operation brings back rows of an older version: the URLs in them mean again what they meant
// then. `from` gives the rows under the physical names: "coppice_store.t12 WHERE _from = 7".
void bring_back_references(EngineContext& context, const catalog::Operation& operation,
                           const catalog::TableInfo& table, std::int64_t version,
                           const std::string& from);

// Removes records that say nothing new, and those older than `before_us` of URLs that no cell of
// any version holds (`held`).
void forget_references(EngineContext& context, const std::unordered_set<std::string>& held,
                       std::int64_t before_us);

}  // namespace coppice::engine
