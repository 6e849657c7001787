// ReferenceReader: the contents of kept references, as their cells mean them.
//
// Model    What is recorded is looked up for all of them at once. Recorded content that is in the
//          cache is given without asking anybody; else the server is asked, and must give the
//          recorded content. Where nothing is recorded, what the server gives is taken; record()
//          binds the operation that is writing (WritingScope) to it.
// Threads  fetch() may run in another thread; the rest as the context.
// Errors   What is wrong with one reference is its result: kIntegrity when its content is another
//          one than recorded, kInvalidInput when it is of another kind, and what fetch_some()
//          gives. fetch() and check() throw what says nothing about a reference.
#pragma once

#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "engine/context.h"
#include "engine/references.h"
#include "media/fetch.h"
#include "media/sniff.h"

namespace coppice::engine {

struct WantedReference {
  std::string url;
  std::optional<coppice::MediaKind> kind;  // what it must be; none: anything

  bool operator==(const WantedReference&) const = default;
};

using ReadReference = std::variant<CachedObject, Error>;

class ReferenceReader {
 public:
  ReferenceReader(EngineContext& context, std::vector<WantedReference> wanted);

  const std::vector<WantedReference>& wanted() const { return wanted_; }

  // Contents of the first of these (numbers into wanted()), `at_least` of them; what they take in
  // the cache is bounded. Touches no database.
  std::vector<FetchedContent> fetch(const std::vector<std::size_t>& numbers, std::size_t at_least,
                                    std::stop_token stop) const;
  // What may be used of that.
  std::vector<ReadReference> check(const std::vector<std::size_t>& numbers,
                                   std::vector<FetchedContent> contents) const;
  // Results were computed from these: their contents count from now on, where nothing did.
  void record(const std::map<std::size_t, const CachedObject*>& used);

 private:
  const ReferenceRecord* record_of(const std::string& url) const;
  ReadReference check_one(const WantedReference& wanted, FetchedContent content) const;

  EngineContext& context_;
  UrlCache& cache_;
  std::vector<WantedReference> wanted_;
  std::unordered_map<std::string, ReferenceRecord> records_;
  FetchLimits limits_;
  Ask ask_;
};

// What the first of these URLs give now: each server is asked.
std::vector<FetchedContent> fetch_for_write(EngineContext& context,
                                            const std::vector<std::string>& urls);

}  // namespace coppice::engine
