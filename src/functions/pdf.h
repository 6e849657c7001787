// Pdf: PDF files through the programs of poppler-utils.
//
// Model    Each question runs one program (pdfinfo, pdftotext, pdftoppm) as a child with limits on
//          memory, time and output and without network; no PDF is parsed in this process.
// Units    Pages count from 1. Images are [height, width, 3] uint8.
// Errors   FunctionFailure "decode" (damaged or encrypted), "timeout", "limit", "unsupported" when
//          poppler-utils is not installed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "functions/image.h"
#include "functions/limits.h"

namespace coppice::functions {

struct PdfPage {
  std::string text;
  double width_points = 0;  // as shown
  double height_points = 0;
};

class Pdf {
 public:
  Pdf(std::filesystem::path file, const Limits& limits);

  std::int64_t page_count();
  std::string text();
  std::vector<PdfPage> pages();
  // What pdftotext says of flows, blocks, lines and words and their boxes, as XHTML.
  std::string layout();
  // What pdfinfo prints, by its names: "Title", "Author", "CreationDate" (ISO 8601), "Pages", …
  const std::map<std::string, std::string>& facts();
  // `page` must be between 1 and page_count().
  Image page_image(std::int64_t page, std::int64_t dpi);

 private:
  std::string run(const std::string& program, std::initializer_list<std::string> options,
                  std::uint64_t limit_bytes) const;

  std::filesystem::path file_;
  const Limits& limits_;
  std::map<std::string, std::string> facts_;
};

}  // namespace coppice::functions
