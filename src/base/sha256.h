// SHA-256 of byte strings and files, and hexadecimal text.
//
// Units    A digest is 32 bytes; its text form is 64 lower-case hexadecimal digits.
// Errors   sha256_file throws kNotFound or kIo.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace coppice {

using Digest = std::array<std::uint8_t, 32>;

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(std::string_view bytes);
  // Ends the computation; the object is not to be used again.
  Digest finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

Digest sha256(std::string_view bytes);
Digest sha256_file(const std::filesystem::path& file);

std::string to_hex(std::string_view bytes);
std::string to_hex(const Digest& digest);

}  // namespace coppice
