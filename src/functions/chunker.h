// Chunker: cuts the text of a document into pieces.
//
// Model    by heading: a heading and all up to the next one. paragraph: a block. sentence: one
//          sentence of a block. page: all of a page. A piece of these over max_size characters is
//          cut further. characters, tokens: as many as fit, over the borders of blocks.
//          Cuts by size fall on white space where the second half of a piece has some, else between
//          two characters; a piece repeats the end of the one before it for `overlap` at most, from
//          the beginning of a word on.
// Units    Characters are Unicode code points. Tokens are counted by rule, without the vocabulary
//          of any model: each six letters or digits of a word, begun or whole, are one; so is each
//          character from U+2E80 on (Chinese, Japanese, Korean) and each punctuation mark or
//          symbol. For English prose that is near to what models count, for code and rare words it
//          may be a third off: leave room.
// Errors   FunctionFailure "range" for options that do not fit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "functions/document_text.h"

namespace coppice::functions {

struct ChunkOptions {
  std::string by;             // "heading", "paragraph", "sentence", "page", "tokens", "characters"
  std::int64_t max_size = 0;  // characters; tokens when cut by them; 0: no limit
  std::int64_t overlap = 0;   // in the same unit, at most half of max_size

  void check() const;
};

// In order, none empty, without white space at either end.
std::vector<TextRange> cut_into_chunks(const DocumentText& document, const ChunkOptions& options);

// Without white space at either end.
TextRange trimmed(std::string_view text, TextRange range);

// By the rule above.
std::int64_t count_tokens(std::string_view text);

}  // namespace coppice::functions
