#include "functions/document_text.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "functions/html_text.h"
#include "functions/pdf_layout.h"

namespace coppice::functions {
namespace {

// The lines of a text with their places, without line ends.
struct Line {
  TextRange range;
  std::string_view text;  // trimmed
};

std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back({{begin, end}, trim(text.substr(begin, end - begin))});
    begin = end + 1;
  }
  return lines;
}

bool is_fence(std::string_view line) { return line.starts_with("```") || line.starts_with("~~~"); }

// "## Title ##" -> "Title"; empty when the line is no heading.
std::string atx_heading(std::string_view line) {
  const std::size_t level = std::min(line.find_first_not_of('#'), line.size());
  if (level == 0 || level > 6 ||
      (level < line.size() && line[level] != ' ' && line[level] != '\t')) {
    return {};
  }
  std::string_view title = trim(line.substr(level));
  const std::size_t last = title.find_last_not_of('#');
  if (last == std::string_view::npos) return {};
  if (title[last] == ' ' || title[last] == '\t') title = trim(title.substr(0, last));
  return std::string(title);
}

bool is_underline(std::string_view line) {
  return !line.empty() && (line.find_first_not_of('=') == std::string_view::npos ||
                           line.find_first_not_of('-') == std::string_view::npos);
}

// Puts the lines of Markdown or plain text together to blocks.
class BlockBuilder {
 public:
  explicit BlockBuilder(DocumentText& document) : document_(document) {}

  void add(const Line& line) {
    if (!open_) block_.range.begin = line.range.begin;
    open_ = true;
    block_.range.end = line.range.end;
    ++line_count_;
    last_ = line.text;
  }
  void close() {
    if (open_) document_.blocks.push_back(std::move(block_));
    block_ = {};
    open_ = false;
    line_count_ = 0;
  }
  void add_heading(const Line& line, std::string title) {
    close();
    add(line);
    close_as_heading(std::move(title));
  }
  // The line is the underline of a heading when one line of text is above it.
  bool add_underline(const Line& line) {
    if (line_count_ != 1) return false;
    std::string title(last_);
    add(line);
    close_as_heading(std::move(title));
    return true;
  }

 private:
  void close_as_heading(std::string title) {
    if (document_.title.empty()) document_.title = title;
    block_.heading = std::move(title);
    close();
  }

  DocumentText& document_;
  TextBlock block_;
  bool open_ = false;
  int line_count_ = 0;
  std::string_view last_;
};

DocumentText read_html_blocks(const std::string& bytes) {
  HtmlPage page = read_html(bytes);
  DocumentText result;
  result.title = std::move(page.title);
  result.text = std::move(page.text);
  page.breaks.push_back(result.text.size());
  std::size_t begin = 0;
  for (const std::size_t end : page.breaks) {
    const std::string_view block = std::string_view(result.text).substr(begin, end - begin);
    if (!trim(block).empty()) result.blocks.push_back({{begin, end}, 1, {}});
    begin = end;
  }
  auto block = result.blocks.begin();
  for (const auto& [from, to] : page.headings) {
    while (block != result.blocks.end() && block->range.end <= from) ++block;
    if (block == result.blocks.end()) break;
    block->heading = trim(std::string_view(result.text).substr(from, to - from));
  }
  return result;
}

}  // namespace

DocumentText read_plain_text(std::string text) {
  DocumentText result;
  result.text = std::move(text);
  BlockBuilder builder(result);
  for (const Line& line : lines_of(result.text)) {
    if (line.text.empty()) {
      builder.close();
    } else {
      builder.add(line);
    }
  }
  builder.close();
  return result;
}

DocumentText read_markdown(std::string text) {
  DocumentText result;
  result.text = std::move(text);
  BlockBuilder builder(result);
  bool fenced = false;
  for (const Line& line : lines_of(result.text)) {
    if (is_fence(line.text)) {
      if (!fenced) builder.close();
      builder.add(line);
      if (fenced) builder.close();
      fenced = !fenced;
    } else if (fenced) {
      builder.add(line);
    } else if (line.text.empty()) {
      builder.close();
    } else if (std::string title = atx_heading(line.text); !title.empty()) {
      builder.add_heading(line, std::move(title));
    } else if (!is_underline(line.text) || !builder.add_underline(line)) {
      builder.add(line);
    }
  }
  builder.close();
  return result;
}

DocumentText read_document_text(Document& document) {
  switch (document.format()) {
    case DocumentFormat::kPdf:
      return read_pdf_layout(document.pdf());
    case DocumentFormat::kHtml:
      return read_html_blocks(document.bytes());
    case DocumentFormat::kMarkdown:
      return read_markdown(document.text());
    case DocumentFormat::kText:
      break;
  }
  return read_plain_text(document.text());
}

}  // namespace coppice::functions
