#include <cstddef>
#include <cstdint>
#include <string_view>

#include "repo_entry.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  coppice::repo::fuzz_repository({reinterpret_cast<const char*>(data), size});
  return 0;
}
