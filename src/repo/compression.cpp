#include "repo/compression.h"

#include <zstd.h>

#include <memory>

#include "base/error.h"

namespace coppice::repo {
namespace {

constexpr int kLevel = 1;  // rows: 0.3 GB/s a core; level 3 saves a tenth more at half the speed
constexpr std::size_t kSmall = 128;
constexpr std::size_t kProbe = 64 << 10;

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

// One a thread: its tables are large.
ZSTD_CCtx* thread_context() {
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  return context.get();
}

std::string compress(std::string_view bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const std::size_t size = ZSTD_compressCCtx(thread_context(), out.data(), out.size(), bytes.data(),
                                             bytes.size(), kLevel);
  if (ZSTD_isError(size)) {
    throw Error(ErrorCode::kInternal, std::string("zstd: ") + ZSTD_getErrorName(size));
  }
  out.resize(size);
  return out;
}

bool pays(std::size_t before, std::size_t after) { return after < before - before / 20; }

}  // namespace

std::optional<std::string> compressed(std::string_view bytes) {
  if (bytes.size() < kSmall) return std::nullopt;
  if (bytes.size() > 4 * kProbe) {
    // From the middle: the head of a file of media is often compressible, and the rest is not.
    const std::string_view probe = bytes.substr(bytes.size() / 2, kProbe);
    if (!pays(probe.size(), compress(probe).size())) return std::nullopt;
  }
  std::string out = compress(bytes);
  if (!pays(bytes.size(), out.size())) return std::nullopt;
  if (decompressed(out, bytes.size()) != bytes) {
    throw Error(ErrorCode::kInternal, "what was compressed cannot be read again",
                "the memory or the processor of this machine makes errors: test it");
  }
  return out;
}

std::string decompressed(std::string_view bytes, std::size_t size_bytes) {
  std::string out(size_bytes, '\0');
  const std::size_t size = ZSTD_decompress(out.data(), out.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(size) || size != size_bytes) {
    throw Error(ErrorCode::kIntegrity, "its compressed bytes cannot be read");
  }
  return out;
}

}  // namespace coppice::repo
