#include "base/base64.h"

#include <openssl/evp.h>

#include <algorithm>

namespace coppice {

std::string to_base64(std::string_view bytes) {
  // OpenSSL counts in int: pieces that are a multiple of three join without padding.
  constexpr std::size_t kPiece = 3 << 20;
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // and a NUL that it writes
  std::size_t size = 0;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(kPiece, bytes.size()))) {
    const std::string_view piece = bytes.substr(0, kPiece);
    size += static_cast<std::size_t>(EVP_EncodeBlock(
        reinterpret_cast<unsigned char*>(text.data() + size),
        reinterpret_cast<const unsigned char*>(piece.data()), static_cast<int>(piece.size())));
  }
  text.resize(size);
  return text;
}

}  // namespace coppice
