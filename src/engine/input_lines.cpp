#include "engine/input_lines.h"

#include <fmt/core.h>

#include "base/error.h"
#include "base/text.h"

namespace coppice::engine {

bool read_line(std::istream& input, std::string& line, const std::string& where,
               std::size_t most_bytes) {
  using Traits = std::istream::traits_type;
  line.clear();
  for (;;) {
    const Traits::int_type next = input.rdbuf()->sbumpc();
    if (Traits::eq_int_type(next, Traits::eof())) return !line.empty();
    const char c = Traits::to_char_type(next);
    if (c == '\n') return true;
    if (line.size() == most_bytes) {
      throw Error(ErrorCode::kInvalidInput,
                  fmt::format("{} is longer than {}", where, human_bytes(most_bytes)),
                  "is it text, with one row a line?");
    }
    line += c;
  }
}

}  // namespace coppice::engine
