// DocumentText: the text of a document with its structure: blocks, headings, pages, boxes.
//
// Model    `text` is what the chunks are cut from; a block (a paragraph, a heading, a list item) is
//          a range of it, in reading order. PDF: blocks as Poppler lays them out, one line each, an
//          empty line between two; what is set clearly larger than the rest is taken for a heading.
//          HTML: its block elements, h1 to h6 are headings. Markdown: paragraphs between empty
//          lines, fenced code as one block, ATX (#) and setext (===) headings. Plain text:
//          paragraphs, no headings.
// Units    Ranges are bytes of `text`, which is UTF-8. Pages count from 1. Boxes are points (1/72
//          inch) from the upper left corner of the page.
// Errors   As Document.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "functions/document.h"

namespace coppice::functions {

struct TextRange {
  std::size_t begin = 0;
  std::size_t end = 0;
};

struct Box {
  double left = 0;
  double top = 0;
  double right = 0;
  double bottom = 0;
};

struct TextBlock {
  TextRange range;
  std::int64_t page = 1;
  std::string heading;  // its text, when it is a heading
};

struct PlacedWord {
  TextRange range;
  std::int64_t page = 1;
  Box box;
};

struct DocumentText {
  std::string title;  // empty when there is none
  std::string text;
  std::vector<TextBlock> blocks;
  std::vector<PlacedWord> words;  // PDF only
};

DocumentText read_document_text(Document& document);
DocumentText read_plain_text(std::string text);
DocumentText read_markdown(std::string text);

}  // namespace coppice::functions
