// Document: a PDF, an HTML page, Markdown or plain text.
//
// Model    What a document is, its bytes say: "%PDF-" within the first kilobyte, or HTML by its
//          first tag; else its name's extension (html, htm, md, markdown), else it is plain text.
//          Text must be valid UTF-8 without NUL; a byte order mark is dropped.
// Errors   FunctionFailure "decode" for bytes that are none of these, with the place; "range".
// Threads  Used by one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "functions/image.h"
#include "functions/limits.h"
#include "functions/pdf.h"

namespace coppice::functions {

enum class DocumentFormat { kPdf, kHtml, kMarkdown, kText };

class Document {
 public:
  Document(const std::filesystem::path& file, const Limits& limits);

  DocumentFormat format() const { return format_; }
  std::string format_name() const;  // "pdf", "html", "markdown", "text"
  std::string extension() const;    // "pdf", "html", "md", "txt"
  std::int64_t page_count();
  std::string text();
  nlohmann::json metadata();
  // nullopt past the last page. Only PDF has pages to draw.
  std::optional<Image> page_image(std::int64_t page, std::int64_t dpi);
  // Throws when it cannot be opened.
  void check_readable();

  // Only for a PDF.
  Pdf& pdf() { return pdf_; }
  // The file as it is.
  std::string bytes() const;

 private:
  // The whole file, checked to be text.
  std::string checked_text() const;

  std::filesystem::path file_;
  const Limits& limits_;
  DocumentFormat format_;
  Pdf pdf_;
};

}  // namespace coppice::functions
