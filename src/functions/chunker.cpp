#include "functions/chunker.h"

#include <fmt/core.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "functions/failure.h"
#include "functions/sentences.h"

namespace coppice::functions {
namespace {

constexpr std::array<std::string_view, 6> kWays = {"heading", "paragraph", "sentence",
                                                   "page",    "tokens",    "characters"};
constexpr int kLettersAToken = 6;
constexpr UChar32 kFirstIdeograph = 0x2e80;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// A piece of text that is not cut while others can be: a run of white space, a word, or one other
// character; words that are longer than `longest_letters` come in parts.
struct Unit {
  TextRange range;
  std::int64_t characters = 0;
  std::int64_t tokens = 0;
  bool space = false;
};

enum class Kind { kSpace, kWord, kOther };

Kind kind_of(UChar32 character) {
  if (u_isUWhiteSpace(character) != 0) return Kind::kSpace;
  if (character >= kFirstIdeograph || character < 0) return Kind::kOther;
  const bool mark = (U_GET_GC_MASK(character) & U_GC_M_MASK) != 0;
  return u_isalnum(character) != 0 || mark || character == '_' ? Kind::kWord : Kind::kOther;
}

std::vector<Unit> units_of(std::string_view text, TextRange range, std::int64_t longest_letters) {
  std::vector<Unit> units;
  Kind last = Kind::kOther;
  for (std::size_t at = range.begin; at < range.end;) {
    const std::size_t begin = at;
    UChar32 character = 0;
    U8_NEXT(text.data(), at, range.end, character);
    const Kind kind = kind_of(character);
    const bool joins = !units.empty() && kind == last && kind != Kind::kOther &&
                       (kind == Kind::kSpace || units.back().characters < longest_letters);
    if (!joins) units.push_back({{begin, begin}, 0, 0, kind == Kind::kSpace});
    Unit& unit = units.back();
    unit.range.end = at;
    ++unit.characters;
    if (kind == Kind::kOther) unit.tokens = 1;
    if (kind == Kind::kWord) unit.tokens = (unit.characters + kLettersAToken - 1) / kLettersAToken;
    last = kind;
  }
  return units;
}

// Cuts a range into pieces whose units add up to max_size at most.
class SizeCutter {
 public:
  SizeCutter(std::string_view text, const ChunkOptions& options, bool tokens)
      : text_(text), options_(options), tokens_(tokens) {}

  void cut(TextRange range, std::vector<TextRange>& pieces) const {
    const std::int64_t longest = tokens_ ? options_.max_size * kLettersAToken : options_.max_size;
    const std::vector<Unit> units = units_of(text_, range, longest);
    std::size_t last_end = 0;
    for (std::size_t begin = skip_space(units, 0); begin < units.size();) {
      std::size_t end = end_of_piece(units, begin, last_end);
      if (end <= last_end) {  // with what it repeats, the next word does not fit
        begin = skip_space(units, last_end);
        end = end_of_piece(units, begin, last_end);
      }
      last_end = end;
      add(pieces, {units[begin].range.begin, units[end - 1].range.end});
      if (end == units.size()) return;
      begin = std::max(skip_space(units, begin_of_next(units, begin, end)), begin + 1);
    }
  }

 private:
  std::int64_t size_of(const Unit& unit) const { return tokens_ ? unit.tokens : unit.characters; }

  static std::size_t skip_space(const std::vector<Unit>& units, std::size_t at) {
    while (at < units.size() && units[at].space) ++at;
    return at;
  }

  // Behind the last unit that still fits, or behind the last white space in the second half.
  std::size_t end_of_piece(const std::vector<Unit>& units, std::size_t begin,
                           std::size_t last_end) const {
    std::int64_t size = 0;
    std::size_t end = begin;
    std::size_t last_space = begin;
    while (end < units.size() && size + size_of(units[end]) <= options_.max_size) {
      size += size_of(units[end]);
      if (units[end].space && 2 * size >= options_.max_size && end > last_end) last_space = end;
      ++end;
    }
    if (end == units.size()) return end;
    if (end == begin) return begin + 1;  // one unit is larger than a piece: only with tokens of 1
    if (units[end].space || units[end - 1].space || last_space == begin) return end;
    return last_space;
  }

  // The first unit, and first of a word, from which to `end` is not more than the overlap.
  std::size_t begin_of_next(const std::vector<Unit>& units, std::size_t begin,
                            std::size_t end) const {
    std::int64_t size = 0;
    std::size_t next = end;
    for (std::size_t at = end; at > begin + 1; --at) {
      size += size_of(units[at - 1]);
      if (size > options_.overlap) break;
      if (!units[at - 1].space) next = at - 1;
    }
    return next;
  }

  void add(std::vector<TextRange>& pieces, TextRange range) const {
    const TextRange piece = trimmed(text_, range);
    if (piece.begin < piece.end) pieces.push_back(piece);
  }

  std::string_view text_;
  const ChunkOptions& options_;
  bool tokens_;
};

// The ranges of all blocks from one that begins a group to the last before the next such.
template <typename Begins>
std::vector<TextRange> group_blocks(const DocumentText& document, Begins begins) {
  std::vector<TextRange> groups;
  for (std::size_t i = 0; i < document.blocks.size(); ++i) {
    const TextRange range = document.blocks[i].range;
    if (i == 0 || begins(document.blocks[i - 1], document.blocks[i])) groups.push_back(range);
    groups.back().end = range.end;
  }
  return groups;
}

std::vector<TextRange> whole_pieces(const DocumentText& document, const std::string& by) {
  if (by == "heading") {
    return group_blocks(
        document, [](const TextBlock&, const TextBlock& block) { return !block.heading.empty(); });
  }
  if (by == "page") {
    return group_blocks(document, [](const TextBlock& before, const TextBlock& block) {
      return before.page != block.page;
    });
  }
  if (by == "paragraph" || by == "sentence") {
    return group_blocks(document, [](const TextBlock&, const TextBlock&) { return true; });
  }
  return group_blocks(document, [](const TextBlock&, const TextBlock&) { return false; });
}

std::vector<TextRange> into_sentences(const DocumentText& document,
                                      const std::vector<TextRange>& blocks) {
  std::vector<TextRange> sentences;
  for (const TextRange& block : blocks) {
    const auto text = std::string_view(document.text).substr(block.begin, block.end - block.begin);
    for (const TextRange& sentence : sentences_of(text)) {
      sentences.push_back({block.begin + sentence.begin, block.begin + sentence.end});
    }
  }
  return sentences;
}

}  // namespace

void ChunkOptions::check() const {
  if (std::find(kWays.begin(), kWays.end(), by) == kWays.end()) {
    throw FunctionFailure("range", fmt::format("cannot cut by \"{}\": it is one of heading, "
                                               "paragraph, sentence, page, tokens, characters",
                                               by));
  }
  if (max_size < 0 || max_size > 1'000'000'000) {
    throw FunctionFailure("range", fmt::format("max_size is {}: it must be between 1 and "
                                               "1000000000, or 0 for no limit",
                                               max_size));
  }
  if (max_size == 0 && (by == "tokens" || by == "characters")) {
    throw FunctionFailure("range", fmt::format("by {} needs a max_size", by));
  }
  if (overlap < 0 || overlap > max_size / 2) {
    throw FunctionFailure("range", fmt::format("overlap is {}: it must be between 0 and half of "
                                               "max_size, {}",
                                               overlap, max_size / 2));
  }
}

TextRange trimmed(std::string_view text, TextRange range) {
  while (range.begin < range.end && is_space(text[range.begin])) ++range.begin;
  while (range.begin < range.end && is_space(text[range.end - 1])) --range.end;
  return range;
}

std::vector<TextRange> cut_into_chunks(const DocumentText& document, const ChunkOptions& options) {
  options.check();
  std::vector<TextRange> pieces = whole_pieces(document, options.by);
  if (options.by == "sentence") pieces = into_sentences(document, pieces);
  std::vector<TextRange> chunks;
  const SizeCutter cutter(document.text, options, options.by == "tokens");
  for (const TextRange& piece : pieces) {
    if (options.max_size > 0) {
      cutter.cut(piece, chunks);
      continue;
    }
    const TextRange chunk = trimmed(document.text, piece);
    if (chunk.begin < chunk.end) chunks.push_back(chunk);
  }
  return chunks;
}

std::int64_t count_tokens(std::string_view text) {
  std::int64_t count = 0;
  for (const Unit& unit : units_of(text, {0, text.size()}, INT64_MAX)) count += unit.tokens;
  return count;
}

}  // namespace coppice::functions
