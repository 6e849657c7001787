#include "functions/mime_type.h"

#include <magic.h>

#include <memory>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "media/sniff.h"

namespace coppice::functions {
namespace {

struct CloseMagic {
  void operator()(magic_set* cookie) const { magic_close(cookie); }
};

magic_t cookie() {
  thread_local std::unique_ptr<magic_set, CloseMagic> loaded;
  if (!loaded) {
    std::unique_ptr<magic_set, CloseMagic> fresh(magic_open(MAGIC_MIME_TYPE));
    if (!fresh || magic_load(fresh.get(), nullptr) != 0) {
      throw Error(ErrorCode::kInternal, "the table of libmagic cannot be loaded",
                  "install the package libmagic-mgc");
    }
    loaded = std::move(fresh);
  }
  return loaded.get();
}

constexpr const char* kUnknown = "application/octet-stream";

// libmagic misses some types that the media store takes: transport streams.
std::string sniffed_or_unknown(std::string_view bytes) {
  const std::optional<SniffedType> type = sniff(bytes);
  return type ? std::string(type->mime) : kUnknown;
}

std::string checked(const char* type) {
  if (type == nullptr) {
    throw Error(ErrorCode::kInternal, std::string("libmagic: ") + magic_error(cookie()));
  }
  return type;
}

}  // namespace

std::string mime_type_of_file(const std::filesystem::path& file) {
  const std::string type = checked(magic_file(cookie(), file.c_str()));
  if (type != kUnknown) return type;
  std::string bytes(kSniffBytes, '\0');
  bytes.resize(FileReader(file).read(bytes.data(), bytes.size()));
  return sniffed_or_unknown(bytes);
}

std::string mime_type_of_bytes(std::string_view bytes) {
  const std::string type = checked(magic_buffer(cookie(), bytes.data(), bytes.size()));
  return type == kUnknown ? sniffed_or_unknown(bytes) : type;
}

}  // namespace coppice::functions
