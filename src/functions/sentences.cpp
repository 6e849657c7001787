#include "functions/sentences.h"

#include <unicode/ubrk.h>
#include <unicode/utext.h>

#include <algorithm>
#include <memory>
#include <string>

#include "base/error.h"
#include "functions/chunker.h"

namespace coppice::functions {
namespace {

struct CloseBreaks {
  void operator()(UBreakIterator* breaks) const { ubrk_close(breaks); }
  void operator()(UText* text) const { utext_close(text); }
};

void check_icu(UErrorCode code) {
  if (U_FAILURE(code) != 0) {
    throw Error(ErrorCode::kInternal, std::string("sentences: ") + u_errorName(code));
  }
}

}  // namespace

std::vector<TextRange> sentences_of(std::string_view text) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  UErrorCode code = U_ZERO_ERROR;
  const std::unique_ptr<UBreakIterator, CloseBreaks> breaks(
      ubrk_open(UBRK_SENTENCE, "en@ss=standard", nullptr, 0, &code));
  check_icu(code);
  const std::unique_ptr<UText, CloseBreaks> units(
      utext_openUTF8(nullptr, line.data(), static_cast<std::int64_t>(line.size()), &code));
  check_icu(code);
  ubrk_setUText(breaks.get(), units.get(), &code);
  check_icu(code);
  std::vector<TextRange> sentences;
  std::int32_t begin = ubrk_first(breaks.get());
  for (std::int32_t end = ubrk_next(breaks.get()); end != UBRK_DONE;
       end = ubrk_next(breaks.get())) {
    const TextRange range =
        trimmed(line, {static_cast<std::size_t>(begin), static_cast<std::size_t>(end)});
    if (range.begin < range.end) sentences.push_back(range);
    begin = end;
  }
  return sentences;
}

}  // namespace coppice::functions
