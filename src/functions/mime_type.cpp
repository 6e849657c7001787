#include "functions/mime_type.h"

#include <magic.h>

#include <memory>

#include "base/error.h"

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

std::string checked(const char* type) {
  if (type == nullptr) {
    throw Error(ErrorCode::kInternal, std::string("libmagic: ") + magic_error(cookie()));
  }
  return type;
}

}  // namespace

std::string mime_type_of_file(const std::filesystem::path& file) {
  return checked(magic_file(cookie(), file.c_str()));
}

std::string mime_type_of_bytes(std::string_view bytes) {
  return checked(magic_buffer(cookie(), bytes.data(), bytes.size()));
}

}  // namespace coppice::functions
