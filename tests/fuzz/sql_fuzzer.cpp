#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sql_entry.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  coppice::sql::fuzz_sql({reinterpret_cast<const char*>(data), size});
  return 0;
}
