#include "functions/html_text.h"

#include <libxml/HTMLparser.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/text.h"
#include "functions/failure.h"

namespace coppice::functions {
namespace {

struct FreeDocument {
  void operator()(xmlDoc* document) const { xmlFreeDoc(document); }
};

std::string_view view(const xmlChar* text) {
  return text == nullptr ? std::string_view() : reinterpret_cast<const char*>(text);
}

template <std::size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_skipped(std::string_view name) {
  constexpr std::array<std::string_view, 6> kSkipped = {"script",   "style",  "head",
                                                        "template", "object", "noscript"};
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
  std::string take() {
    const std::string_view trimmed = trim(text_);
    return trimmed.empty() ? std::string() : std::string(trimmed) + "\n";
  }

 private:
  bool at_line_start() const { return text_.empty() || text_.back() == '\n'; }

  std::string text_;
  bool pending_space_ = false;
};

// Walks the tree without recursion: pages may be nested as deep as they like.
class Walker {
 public:
  explicit Walker(const xmlNode* root) : root_(root) {}

  HtmlPage walk() {
    const xmlNode* node = root_;
    while (node != nullptr) {
      const bool inside = enter(node);
      if (inside && node->children != nullptr) {
        node = node->children;
        continue;
      }
      leave(node);
      while (node != root_ && node->next == nullptr) {
        node = node->parent;
        leave(node);
      }
      node = node == root_ ? nullptr : node->next;
    }
    return {std::string(trim(title_.take())), text_.take()};
  }

 private:
  // False when what is inside is left out.
  bool enter(const xmlNode* node) {
    if (node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE) {
      text_.add(view(node->content), preformatted_ > 0);
      return false;
    }
    if (node->type != XML_ELEMENT_NODE) return node->type == XML_HTML_DOCUMENT_NODE;
    const std::string_view name = view(node->name);
    if (name == "head" || name == "title") find_title(node);
    if (is_skipped(name) || name == "title") return false;
    if (is_block(name)) text_.begin_line();
    if (name == "td" || name == "th") text_.begin_cell();
    if (name == "pre") ++preformatted_;
    return true;
  }

  void leave(const xmlNode* node) {
    if (node->type != XML_ELEMENT_NODE) return;
    const std::string_view name = view(node->name);
    // What is left out was never entered: only <pre> is counted.
    if (name == "pre") --preformatted_;
    if (is_block(name)) text_.begin_line();
  }

  void find_title(const xmlNode* node) {
    if (view(node->name) != "title") {
      for (const xmlNode* child = node->children; child != nullptr; child = child->next) {
        if (child->type == XML_ELEMENT_NODE && view(child->name) == "title") find_title(child);
      }
      return;
    }
    for (const xmlNode* child = node->children; child != nullptr; child = child->next) {
      if (child->type == XML_TEXT_NODE) title_.add(view(child->content), false);
    }
  }

  const xmlNode* root_;
  TextBuilder title_;
  TextBuilder text_;
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
  const std::unique_ptr<xmlDoc, FreeDocument> document(
      htmlReadMemory(bytes.data(), static_cast<int>(bytes.size()), nullptr, encoding, kOptions));
  const xmlNode* root = document ? xmlDocGetRootElement(document.get()) : nullptr;
  if (root == nullptr) {
    if (trim(bytes).empty()) return {};
    throw FunctionFailure("decode", "the HTML cannot be read");
  }
  return Walker(root).walk();
}

}  // namespace coppice::functions
