#include "functions/html_text.h"

#include <libxml/HTMLparser.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>

#include "base/text.h"
#include "functions/failure.h"

namespace coppice::functions {
namespace {

struct FreeParser {
  void operator()(htmlParserCtxt* parser) const { htmlFreeParserCtxt(parser); }
};

std::string_view view(const xmlChar* text) {
  return text == nullptr ? std::string_view() : reinterpret_cast<const char*>(text);
}

template <std::size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_skipped(std::string_view name) {
  constexpr std::array<std::string_view, 5> kSkipped = {"script", "style", "template", "object",
                                                        "noscript"};
  return is_one_of(name, kSkipped);
}

bool is_block(std::string_view name) {
  constexpr std::array<std::string_view, 33> kBlocks = {
      "address", "article",  "aside",      "blockquote", "body",   "br",   "dd",   "div", "dl",
      "dt",      "fieldset", "figcaption", "figure",     "footer", "form", "h1",   "h2",  "h3",
      "h4",      "h5",       "h6",         "header",     "hr",     "li",   "main", "nav", "ol",
      "p",       "pre",      "section",    "table",      "tr",     "ul"};
  return is_one_of(name, kBlocks);
}

bool is_heading(std::string_view name) {
  return name.size() == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6';
}

// Collects text: collapses white space, keeps at most one empty line.
class TextBuilder {
 public:
  void add(std::string_view text, bool keep_space) {
    for (const char c : text) {
      const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
      if (keep_space && space) {
        text_ += c == '\r' || c == '\f' ? ' ' : c;
        pending_space_ = false;
      } else if (space) {
        pending_space_ = true;
      } else {
        if (pending_space_ && !at_line_start()) text_ += ' ';
        pending_space_ = false;
        text_ += c;
      }
    }
  }
  void begin_line() {
    pending_space_ = false;
    if (!at_line_start()) text_ += '\n';
  }
  void begin_cell() {
    pending_space_ = false;
    if (!at_line_start()) text_ += '\t';
  }
  std::size_t size() const { return text_.size(); }
  // `cut` becomes the number of bytes that were taken away in front.
  std::string take(std::size_t* cut = nullptr) {
    const std::string_view trimmed = trim(text_);
    if (cut != nullptr && !trimmed.empty()) *cut = trimmed.data() - text_.data();
    return trimmed.empty() ? std::string() : std::string(trimmed) + "\n";
  }

 private:
  bool at_line_start() const { return text_.empty() || text_.back() == '\n'; }

  std::string text_;
  bool pending_space_ = false;
};

// Takes the parser's events. No tree is built: libxml2 stops silently where one would be nested
// more than 256 deep, and what follows would be lost.
class PageReader {
 public:
  HtmlPage page() {
    std::size_t cut = 0;
    HtmlPage result{std::string(trim(title_.take())), text_.take(&cut), {}, {}};
    const auto moved = [&](std::size_t at) {
      return std::min(at - std::min(at, cut), result.text.size());
    };
    for (const std::size_t at : breaks_) {
      const std::size_t place = moved(at);
      if (place > 0 && (result.breaks.empty() || result.breaks.back() < place)) {
        result.breaks.push_back(place);
      }
    }
    for (const auto& [begin, end] : headings_) {
      result.headings.emplace_back(moved(begin), moved(end));
    }
    return result;
  }
  bool saw_anything() const { return saw_anything_; }

  static xmlSAXHandler handler() {
    xmlSAXHandler events{};
    events.startElement = [](void* self, const xmlChar* name, const xmlChar**) {
      static_cast<PageReader*>(self)->enter(view(name));
    };
    events.endElement = [](void* self, const xmlChar* name) {
      static_cast<PageReader*>(self)->leave(view(name));
    };
    events.characters = events.ignorableWhitespace = [](void* self, const xmlChar* text, int size) {
      static_cast<PageReader*>(self)->add(view(text).substr(0, static_cast<std::size_t>(size)));
    };
    events.cdataBlock = events.characters;
    return events;
  }

 private:
  void enter(std::string_view name) {
    saw_anything_ = true;
    if (name == "head") ++heads_;
    if (name == "title") ++titles_;
    if (is_skipped(name)) ++skipped_;
    if (is_left_out()) return;
    if (is_block(name)) begin_block(name);
    if (name == "td" || name == "th") text_.begin_cell();
    if (name == "pre") ++preformatted_;
    if (is_heading(name)) heading_begin_ = text_.size();
  }

  void leave(std::string_view name) {
    if (!is_left_out()) {
      if (name == "pre") --preformatted_;
      if (is_heading(name)) headings_.emplace_back(heading_begin_, text_.size());
      if (is_block(name)) begin_block(name);
    }
    if (name == "head") --heads_;
    if (name == "title") --titles_;
    if (is_skipped(name)) --skipped_;
  }

  void begin_block(std::string_view name) {
    text_.begin_line();
    if (name != "br" && name != "tr") breaks_.push_back(text_.size());
  }

  void add(std::string_view text) {
    if (skipped_ > 0) return;
    if (titles_ > 0) {
      title_.add(text, false);
    } else if (heads_ == 0) {
      text_.add(text, preformatted_ > 0);
    }
  }

  bool is_left_out() const { return skipped_ > 0 || titles_ > 0 || heads_ > 0; }

  TextBuilder title_;
  TextBuilder text_;
  std::vector<std::size_t> breaks_;
  std::vector<std::pair<std::size_t, std::size_t>> headings_;
  std::size_t heading_begin_ = 0;
  bool saw_anything_ = false;
  int heads_ = 0;
  int titles_ = 0;
  int skipped_ = 0;
  int preformatted_ = 0;
};

}  // namespace

HtmlPage read_html(std::string_view bytes) {
  if (bytes.starts_with("\xef\xbb\xbf")) bytes.remove_prefix(3);
  // Valid UTF-8 is UTF-8 whatever the page says of itself.
  const std::string head = lower(bytes.substr(0, 4096));
  const bool names_encoding =
      head.find("charset") != std::string::npos || head.find("encoding=") != std::string::npos;
  const char* encoding = !first_invalid_utf8(bytes) ? "UTF-8"
                         : names_encoding           ? nullptr
                                                    : "windows-1252";
  constexpr int kOptions = HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                           HTML_PARSE_NONET | HTML_PARSE_COMPACT;
  const std::unique_ptr<htmlParserCtxt, FreeParser> parser(htmlNewParserCtxt());
  if (!parser) throw std::bad_alloc();
  PageReader reader;
  *parser->sax = PageReader::handler();
  parser->userData = &reader;
  // Without a tree there is no document to give back, only one for the page's DTD.
  xmlFreeDoc(htmlCtxtReadMemory(parser.get(), bytes.data(), static_cast<int>(bytes.size()), nullptr,
                                encoding, kOptions));
  if (!reader.saw_anything() && !trim(bytes).empty()) {
    throw FunctionFailure("decode", "the HTML cannot be read");
  }
  return reader.page();
}

}  // namespace coppice::functions
