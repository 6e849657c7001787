#include "engine/reference_reader.h"

#include <fmt/core.h>

#include "base/files.h"
#include "config/config.h"

namespace coppice::engine {
namespace {

std::string first_bytes_of(const std::filesystem::path& file) {
  FileReader reader(file);
  std::string bytes(kSniffBytes, '\0');
  bytes.resize(reader.read(bytes.data(), bytes.size()));
  return bytes;
}

std::string described(std::uintmax_t size_bytes, const std::string& etag) {
  return fmt::format("{} bytes{}", size_bytes, etag.empty() ? "" : ", ETag " + etag);
}

Error changed_error(const ReferenceRecord& record, const CachedObject& now) {
  return Error(
      ErrorCode::kIntegrity,
      fmt::format("{} has changed: {} were recorded on {}, now it has {}",
                  printable_url(record.url), described(record.size_bytes, record.etag),
                  record.checked_at, described(now.size_bytes, now.etag)),
      "to take its new content write the cell again: UPDATE … SET column = column WHERE …");
}

// nullopt when the content is of that kind.
std::optional<Error> wrong_kind(const std::string& url, const CachedObject& content,
                                coppice::MediaKind kind) {
  const std::optional<SniffedType> type = sniff(first_bytes_of(content.file), kind);
  if (type && type->kind == kind) return std::nullopt;
  const std::string what = type                      ? std::string(type->description)
                           : content.size_bytes == 0 ? "empty (0 bytes)"
                                                     : "of no type that Coppice knows";
  return Error(ErrorCode::kInvalidInput,
               fmt::format("{} is {}, not {}", printable_url(url), what, kind_with_article(kind)));
}

FetchLimits limits_of(EngineContext& context) {
  FetchLimits limits;
  limits.connections = static_cast<int>(context.config.integer("media.connections"));
  // Others use the cache too, and the next references may come while these are in use.
  limits.held_bytes = context.url_cache()->options().size_limit_bytes / 4;
  return limits;
}

}  // namespace

ReferenceReader::ReferenceReader(EngineContext& context, std::vector<WantedReference> wanted)
    : context_(context),
      cache_(*context.url_cache()),
      wanted_(std::move(wanted)),
      limits_(limits_of(context)),
      ask_(context.writing != nullptr ? Ask::kAlways : Ask::kWhenOld) {
  std::vector<std::string> urls;
  for (const WantedReference& reference : wanted_) urls.push_back(reference.url);
  records_ = recorded_references(context, urls);
}

// nullptr when nothing binds the URL to any content.
const ReferenceRecord* ReferenceReader::record_of(const std::string& url) const {
  const auto found = records_.find(url);
  return found != records_.end() && found->second.name ? &found->second : nullptr;
}

std::vector<FetchedContent> ReferenceReader::fetch(const std::vector<std::size_t>& numbers,
                                                   std::size_t at_least,
                                                   std::stop_token stop) const {
  std::vector<WantedContent> contents;
  for (const std::size_t number : numbers) {
    WantedContent& content = contents.emplace_back();
    content.url = wanted_[number].url;
    content.ask = ask_;
    if (const ReferenceRecord* record = record_of(content.url)) {
      content.known = record->name;
      content.ask = Ask::kAlways;  // what the URL gave since may be over too
    }
  }
  FetchLimits limits = limits_;
  limits.at_least = at_least;
  return fetch_some(cache_, contents, limits, std::move(stop));
}

std::vector<ReadReference> ReferenceReader::check(const std::vector<std::size_t>& numbers,
                                                  std::vector<FetchedContent> contents) const {
  std::vector<ReadReference> references;
  for (std::size_t i = 0; i < contents.size(); ++i) {
    references.push_back(check_one(wanted_[numbers[i]], std::move(contents[i])));
  }
  return references;
}

ReadReference ReferenceReader::check_one(const WantedReference& wanted,
                                         FetchedContent content) const {
  if (const auto* error = std::get_if<Error>(&content)) return *error;
  auto& object = std::get<CachedObject>(content);
  const ReferenceRecord* record = record_of(wanted.url);
  if (record != nullptr && record->name->sha256_hex != object.name.sha256_hex) {
    return changed_error(*record, object);
  }
  const bool kind_is_known =
      !wanted.kind || (record != nullptr && record->kind == kind_name(*wanted.kind));
  if (!kind_is_known) {
    if (std::optional<Error> error = wrong_kind(wanted.url, object, *wanted.kind)) return *error;
  }
  return std::move(object);
}

void ReferenceReader::record(const std::map<std::size_t, const CachedObject*>& used) {
  if (context_.writing == nullptr) return;
  std::vector<ReferenceRecord> fresh;
  for (const auto& [number, object] : used) {
    const WantedReference& wanted = wanted_[number];
    if (!wanted.kind || record_of(wanted.url) != nullptr) continue;
    const std::optional<SniffedType> type = sniff(first_bytes_of(object->file), wanted.kind);
    ReferenceRecord record;
    record.url = wanted.url;
    record.name = object->name;
    record.kind = kind_name(*wanted.kind);
    record.mime = type ? type->mime : "";
    record.size_bytes = object->size_bytes;
    record.etag = object->etag;
    records_[wanted.url] = record;
    fresh.push_back(std::move(record));
  }
  record_references(context_, *context_.writing, fresh);
}

std::vector<FetchedContent> fetch_for_write(EngineContext& context,
                                            const std::vector<std::string>& urls) {
  std::vector<WantedContent> wanted;
  for (const std::string& url : urls) wanted.push_back({url, std::nullopt, Ask::kAlways});
  return fetch_some(*context.url_cache(), wanted, limits_of(context), context.stop.get_token());
}

}  // namespace coppice::engine
