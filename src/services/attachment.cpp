#include "services/attachment.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "base/base64.h"
#include "base/error.h"
#include "base/files.h"
#include "base/text.h"

namespace coppice::services {
namespace {

std::optional<CellFailure> too_large(const Value& value, std::uint64_t size, std::uint64_t limit) {
  if (size <= limit) return std::nullopt;
  return CellFailure{"limit",
                     fmt::format("{} is {}, the service takes up to {}; make it smaller first, an "
                                 "image with resize(…)",
                                 value.text, human_bytes(size), human_bytes(limit))};
}

std::uint64_t largest(const std::vector<Accepted>& accepted, std::uint64_t any_limit_bytes) {
  std::uint64_t most = accepted.empty() ? any_limit_bytes : 0;
  for (const Accepted& type : accepted) most = std::max(most, type.limit_bytes);
  return most;
}

}  // namespace

std::variant<Attachment, CellFailure> read_attachment(const MediaStore& store, const Value& value,
                                                      const std::vector<Accepted>& accepted,
                                                      std::uint64_t any_limit_bytes) {
  const auto name = MediaName::parse(value.text);
  if (!name) return CellFailure{"missing", value.text + " is not the name of a media object"};
  std::string bytes;
  try {
    const std::filesystem::path file = store.find(*name);
    // Before it is read: what is too large for anything never comes into memory.
    const auto size = std::filesystem::file_size(file);
    if (auto failure = too_large(value, size, largest(accepted, any_limit_bytes))) return *failure;
    bytes = read_file(file);
  } catch (const Error& error) {
    return CellFailure{"missing", error.message()};
  } catch (const std::filesystem::filesystem_error& error) {
    return CellFailure{"missing", error.what()};
  }
  const auto kind = kind_from_name(sql_type_name(value.type));
  const auto type = sniff(std::string_view(bytes).substr(0, kSniffBytes), kind);
  if (!type || !kind) {
    return CellFailure{"type", value.text + " is of no type that is known"};
  }
  if (!accepted.empty()) {
    const auto taken = std::find_if(accepted.begin(), accepted.end(), [&](const Accepted& known) {
      return known.mime == type->mime;
    });
    if (taken == accepted.end()) {
      std::vector<std::string> names;
      for (const Accepted& known : accepted) names.emplace_back(known.mime);
      return CellFailure{"type", fmt::format("{} is {}, the service takes {}", value.text,
                                             type->description, join(names, ", "))};
    }
    if (auto failure = too_large(value, bytes.size(), taken->limit_bytes)) return *failure;
  }
  return Attachment{*kind, std::string(type->mime), std::string(type->extension), to_base64(bytes)};
}

}  // namespace coppice::services
