// pages and chunks: the iterators of documents and texts.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "functions/call.h"
#include "functions/chunker.h"
#include "functions/rows.h"

namespace coppice::functions {
namespace {

Operand pages(const Call& call) {
  Document& document = call.document();
  IteratorRows rows(call.limits);
  if (document.format() != DocumentFormat::kPdf) {
    rows.add({{"page", 1}, {"text", document.text()}, {"width", nullptr}, {"height", nullptr}});
    return rows.give();
  }
  check_row_count(static_cast<double>(document.page_count()), call.limits);
  std::int64_t number = 0;
  for (const PdfPage& page : document.pdf().pages()) {
    rows.add({{"page", ++number},
              {"text", page.text},
              {"width", page.width_points},
              {"height", page.height_points}});
  }
  return rows.give();
}

double hundredths(double points) { return std::round(points * 100) / 100; }

// Of the words of a chunk that stand on its first page; null where words have no place.
nlohmann::json box_of(const DocumentText& document, const TextRange& chunk, std::int64_t page) {
  const auto behind = [](std::size_t at, const PlacedWord& word) { return at < word.range.end; };
  auto word = std::upper_bound(document.words.begin(), document.words.end(), chunk.begin, behind);
  if (word == document.words.end() || word->range.begin >= chunk.end) return nullptr;
  Box box = word->box;
  for (; word != document.words.end() && word->range.begin < chunk.end && word->page == page;
       ++word) {
    box = {std::min(box.left, word->box.left), std::min(box.top, word->box.top),
           std::max(box.right, word->box.right), std::max(box.bottom, word->box.bottom)};
  }
  return {hundredths(box.left), hundredths(box.top), hundredths(box.right), hundredths(box.bottom)};
}

nlohmann::json text_or_null(const std::string& text) {
  return text.empty() ? nlohmann::json() : nlohmann::json(text);
}

ChunkOptions options_of(const Call& call) {
  return {call.text(1), call.integer(2), call.integer(3)};
}

Operand give_chunks(const Call& call, const DocumentText& document, bool has_pages) {
  IteratorRows rows(call.limits);
  std::size_t block = 0;
  std::string heading;
  for (const TextRange& chunk : cut_into_chunks(document, options_of(call))) {
    // Chunks may overlap, but none begins before the one before it.
    for (; block < document.blocks.size() && document.blocks[block].range.begin <= chunk.begin;
         ++block) {
      if (!document.blocks[block].heading.empty()) heading = document.blocks[block].heading;
    }
    const std::int64_t page = block == 0 ? 1 : document.blocks[block - 1].page;
    rows.add({{"text", document.text.substr(chunk.begin, chunk.end - chunk.begin)},
              {"title", text_or_null(document.title)},
              {"heading", text_or_null(heading)},
              {"page", has_pages ? nlohmann::json(page) : nlohmann::json()},
              {"box", box_of(document, chunk, page)}});
  }
  return rows.give();
}

Operand chunks_of_document(const Call& call) {
  options_of(call).check();  // before the document is read
  return give_chunks(call, read_document_text(call.document()), true);
}

Operand chunks_of_text(const Call& call) {
  return give_chunks(call, read_plain_text(call.text(0)), false);
}

}  // namespace

void add_document_iterators(Implementations& all) {
  all["pages(document)"] = pages;
  all["chunks(document,text,bigint,bigint)"] = chunks_of_document;
  all["chunks(text,text,bigint,bigint)"] = chunks_of_text;
}

}  // namespace coppice::functions
