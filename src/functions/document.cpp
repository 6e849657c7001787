#include "functions/document.h"

#include <fmt/core.h>

#include <array>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/text.h"
#include "functions/failure.h"
#include "functions/html_text.h"

namespace coppice::functions {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

std::string first_bytes(const std::filesystem::path& file) {
  FileReader reader(file);
  std::string head(4096, '\0');
  head.resize(reader.read(head.data(), head.size()));
  return head;
}

bool looks_like_html(std::string_view head) {
  if (head.starts_with(kByteOrderMark)) head.remove_prefix(kByteOrderMark.size());
  head = trim(head);
  // An XML declaration and comments may come before the first tag.
  while (head.starts_with("<?") || head.starts_with("<!--")) {
    const bool comment = head.starts_with("<!--");
    const std::size_t end = head.find(comment ? "-->" : "?>");
    if (end == std::string_view::npos) return false;
    head = trim(head.substr(end + (comment ? 3 : 2)));
  }
  return starts_with_ignoring_case(head, "<!doctype html") ||
         starts_with_ignoring_case(head, "<html");
}

DocumentFormat detect(const std::filesystem::path& file) {
  const std::string head = first_bytes(file);
  if (head.empty()) throw FunctionFailure("decode", "the document is empty: zero bytes");
  if (std::string_view(head).substr(0, 1024 + 5).find("%PDF-") != std::string_view::npos) {
    return DocumentFormat::kPdf;
  }
  const std::string extension = lower(file.extension().string());
  if (looks_like_html(head) || extension == ".html" || extension == ".htm" ||
      extension == ".xhtml") {
    return DocumentFormat::kHtml;
  }
  const bool markdown = extension == ".md" || extension == ".markdown";
  return markdown ? DocumentFormat::kMarkdown : DocumentFormat::kText;
}

// pdfinfo's names and ours.
nlohmann::json pdf_facts(const std::map<std::string, std::string>& facts) {
  constexpr std::array<std::array<const char*, 2>, 9> kNames = {{{"Title", "title"},
                                                                 {"Subject", "subject"},
                                                                 {"Keywords", "keywords"},
                                                                 {"Author", "author"},
                                                                 {"Creator", "creator"},
                                                                 {"Producer", "producer"},
                                                                 {"CreationDate", "created"},
                                                                 {"ModDate", "modified"},
                                                                 {"PDF version", "pdf_version"}}};
  nlohmann::json result = nlohmann::json::object();
  for (const auto& [name, ours] : kNames) {
    if (const auto found = facts.find(name); found != facts.end()) result[ours] = found->second;
  }
  if (const auto found = facts.find("Page size"); found != facts.end()) {
    double width = 0;
    double height = 0;
    if (std::sscanf(found->second.c_str(), "%lf x %lf", &width, &height) == 2) {
      result["page_width_points"] = width;
      result["page_height_points"] = height;
    }
  }
  return result;
}

}  // namespace

Document::Document(const std::filesystem::path& file, const Limits& limits)
    : file_(file), limits_(limits), format_(detect(file)), pdf_(file, limits) {}

std::string Document::format_name() const {
  switch (format_) {
    case DocumentFormat::kPdf:
      return "pdf";
    case DocumentFormat::kHtml:
      return "html";
    case DocumentFormat::kMarkdown:
      return "markdown";
    case DocumentFormat::kText:
      break;
  }
  return "text";
}

std::string Document::extension() const {
  switch (format_) {
    case DocumentFormat::kMarkdown:
      return "md";
    case DocumentFormat::kText:
      return "txt";
    default:
      return format_name();
  }
}

std::string Document::checked_text() const {
  if (std::filesystem::file_size(file_) > limits_.max_text_bytes) {
    throw FunctionFailure(
        "limit", fmt::format("the document has more than {} bytes", limits_.max_text_bytes));
  }
  std::string bytes = read_file(file_);
  if (bytes.starts_with(kByteOrderMark)) bytes.erase(0, kByteOrderMark.size());
  if (const auto at = first_invalid_utf8(bytes)) {
    throw FunctionFailure(
        "decode", fmt::format("the bytes are not a PDF, HTML or UTF-8 text: byte {} ({:#04x})"
                              " is not text; convert the file to UTF-8",
                              *at, static_cast<unsigned char>(bytes[*at])));
  }
  return bytes;
}

std::string Document::bytes() const { return read_file(file_); }

std::int64_t Document::page_count() {
  if (format_ == DocumentFormat::kPdf) return pdf_.page_count();
  check_readable();
  return 1;
}

std::string Document::text() {
  if (format_ == DocumentFormat::kPdf) return pdf_.text();
  if (format_ == DocumentFormat::kHtml) return read_html(bytes()).text;
  return checked_text();
}

nlohmann::json Document::metadata() {
  nlohmann::json facts = nlohmann::json::object();
  if (format_ == DocumentFormat::kPdf) facts = pdf_facts(pdf_.facts());
  if (format_ == DocumentFormat::kHtml) {
    const std::string title = read_html(bytes()).title;
    if (!title.empty()) facts["title"] = title;
  }
  facts["format"] = format_name();
  facts["page_count"] = page_count();
  facts["size_bytes"] = std::filesystem::file_size(file_);
  return facts;
}

std::optional<Image> Document::page_image(std::int64_t page, std::int64_t dpi) {
  if (format_ != DocumentFormat::kPdf) {
    throw FunctionFailure("unsupported", fmt::format("only PDF pages can be drawn, and this "
                                                     "document is {}",
                                                     format_name()));
  }
  if (page < 1) throw FunctionFailure("range", fmt::format("no page {}: pages count from 1", page));
  if (dpi < 1 || dpi > 2400) {
    throw FunctionFailure("range", fmt::format("{} dots per inch are not between 1 and 2400", dpi));
  }
  if (page > pdf_.page_count()) return std::nullopt;
  return pdf_.page_image(page, dpi);
}

void Document::check_readable() {
  switch (format_) {
    case DocumentFormat::kPdf:
      pdf_.page_count();
      break;
    case DocumentFormat::kHtml:
      read_html(bytes());
      break;
    default:
      checked_text();
  }
}

}  // namespace coppice::functions
