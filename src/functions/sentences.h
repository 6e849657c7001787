// Sentences of a text after the Unicode rules for text segmentation (UAX 29), with the
// abbreviations of English ("Dr.", "e.g.") not taken for an end.
//
// Units    Ranges are bytes of the UTF-8 text, without white space at either end. A line end within
//          the text is a space: it does not end a sentence.
#pragma once

#include <string_view>
#include <vector>

#include "functions/document_text.h"

namespace coppice::functions {

std::vector<TextRange> sentences_of(std::string_view text);

}  // namespace coppice::functions
