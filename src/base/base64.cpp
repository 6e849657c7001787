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

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  constexpr std::size_t kPiece = 4 << 20;
  for (std::string_view rest = text; !rest.empty();
       rest.remove_prefix(std::min(kPiece, rest.size()))) {
    const std::string_view piece = rest.substr(0, kPiece);
    const std::size_t begin = bytes.size();
    bytes.resize(begin + piece.size() / 4 * 3);
    if (EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data() + begin),
                        reinterpret_cast<const unsigned char*>(piece.data()),
                        static_cast<int>(piece.size())) < 0) {
      return std::nullopt;
    }
  }
  // OpenSSL counts padding as zeros and accepts blanks: what it read must be what we would write.
  if (text.ends_with("==")) {
    bytes.resize(bytes.size() - 2);
  } else if (text.ends_with("=")) {
    bytes.resize(bytes.size() - 1);
  }
  if (to_base64(bytes) != text) return std::nullopt;
  return bytes;
}

}  // namespace coppice
