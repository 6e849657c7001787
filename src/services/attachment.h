// Attachment: a media argument as a service gets it.
//
// Model    The object's bytes are read and never decoded; what they are is what their first bytes
//          say. A service takes some types up to some size.
// Units    Sizes are bytes before base64.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "media/sniff.h"
#include "media/store.h"
#include "workers/value.h"

namespace coppice::services {

struct Accepted {
  std::string_view mime;  // "image/png"
  std::uint64_t limit_bytes;
};

struct Attachment {
  MediaKind kind;
  std::string mime;
  std::string extension;
  std::string base64;

  std::string data_url() const { return "data:" + mime + ";base64," + base64; }
};

// The failure is of type "type" (the service does not take it), "limit" (too large) or "missing".
// With an empty `accepted` every type is taken, up to `any_limit_bytes`.
std::variant<Attachment, CellFailure> read_attachment(const MediaStore& store, const Value& value,
                                                      const std::vector<Accepted>& accepted,
                                                      std::uint64_t any_limit_bytes);

}  // namespace coppice::services
