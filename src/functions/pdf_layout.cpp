#include "functions/pdf_layout.h"

#include <libxml/parser.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "base/text.h"
#include "functions/failure.h"

namespace coppice::functions {
namespace {

// A block is a heading when it is set at least so much larger than most of the text …
constexpr double kHeadingRatio = 1.15;
// … and is short.
constexpr std::size_t kLongestHeadingBytes = 200;

double number_of(const xmlChar** attributes, std::string_view name) {
  for (; attributes != nullptr && attributes[0] != nullptr; attributes += 2) {
    if (name == reinterpret_cast<const char*>(attributes[0])) {
      return std::strtod(reinterpret_cast<const char*>(attributes[1]), nullptr);
    }
  }
  return 0;
}

// Takes the events of `<page><flow><block><line><word xMin=…>text</word>`.
class LayoutReader {
 public:
  static xmlSAXHandler handler() {
    xmlSAXHandler events{};
    events.startElement = [](void* self, const xmlChar* name, const xmlChar** attributes) {
      static_cast<LayoutReader*>(self)->enter(reinterpret_cast<const char*>(name), attributes);
    };
    events.endElement = [](void* self, const xmlChar* name) {
      static_cast<LayoutReader*>(self)->leave(reinterpret_cast<const char*>(name));
    };
    events.characters = [](void* self, const xmlChar* text, int size) {
      static_cast<LayoutReader*>(self)->add(
          {reinterpret_cast<const char*>(text), static_cast<std::size_t>(size)});
    };
    events.getEntity = [](void*, const xmlChar* name) { return xmlGetPredefinedEntity(name); };
    return events;
  }

  DocumentText take() {
    mark_headings();
    return std::move(result_);
  }

 private:
  void enter(std::string_view name, const xmlChar** attributes) {
    if (name == "page") ++page_;
    if (name == "block") begin_block();
    if (name == "word") begin_word(attributes);
  }

  void leave(std::string_view name) {
    if (name == "block") end_block();
    if (name == "word") end_word();
  }

  void begin_block() {
    if (!result_.text.empty()) result_.text += "\n\n";
    block_begin_ = result_.text.size();
    height_ = 0;
  }

  void end_block() {
    if (result_.text.size() == block_begin_) return;
    result_.blocks.push_back({{block_begin_, result_.text.size()}, page_, {}});
    heights_.push_back(height_);
  }

  void begin_word(const xmlChar** attributes) {
    if (result_.text.size() > block_begin_) result_.text += ' ';
    PlacedWord word;
    word.range.begin = result_.text.size();
    word.page = page_;
    word.box = {number_of(attributes, "xMin"), number_of(attributes, "yMin"),
                number_of(attributes, "xMax"), number_of(attributes, "yMax")};
    result_.words.push_back(word);
    in_word_ = true;
  }

  void end_word() {
    PlacedWord& word = result_.words.back();
    word.range.end = result_.text.size();
    in_word_ = false;
    const double height = word.box.bottom - word.box.top;
    height_ = height_ == 0 ? height : std::min(height_, height);
    bytes_of_height_[static_cast<int>(height * 10)] += word.range.end - word.range.begin;
  }

  void add(std::string_view text) {
    if (in_word_) result_.text += text;
  }

  // The height that most of the text has.
  double body_height() const {
    const auto most = std::max_element(
        bytes_of_height_.begin(), bytes_of_height_.end(),
        [](const auto& one, const auto& other) { return one.second < other.second; });
    return most == bytes_of_height_.end() ? 0 : most->first / 10.0;
  }

  void mark_headings() {
    const double body = body_height();
    for (std::size_t i = 0; i < result_.blocks.size(); ++i) {
      TextBlock& block = result_.blocks[i];
      const std::size_t size = block.range.end - block.range.begin;
      if (heights_[i] >= kHeadingRatio * body && size <= kLongestHeadingBytes) {
        block.heading = result_.text.substr(block.range.begin, size);
      }
    }
  }

  DocumentText result_;
  std::int64_t page_ = 0;
  std::size_t block_begin_ = 0;
  bool in_word_ = false;
  double height_ = 0;                           // of the smallest word of the block
  std::vector<double> heights_;                 // of each block
  std::map<int, std::size_t> bytes_of_height_;  // by tenths of a point
};

// What XML cannot hold is space.
void remove_controls(std::string& text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') c = ' ';
  }
}

}  // namespace

DocumentText read_pdf_layout(Pdf& pdf) {
  std::string layout = pdf.layout();
  remove_controls(layout);
  const std::size_t begin = layout.find("<doc>");
  const std::size_t end = layout.rfind("</doc>");
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    throw FunctionFailure("decode", "the layout of the PDF cannot be read");
  }
  const std::string body = layout.substr(begin, end + 6 - begin);
  LayoutReader reader;
  xmlSAXHandler events = LayoutReader::handler();
  if (xmlSAXUserParseMemory(&events, &reader, body.data(), static_cast<int>(body.size())) != 0) {
    throw FunctionFailure("decode", "the layout of the PDF cannot be read");
  }
  DocumentText result = reader.take();
  const auto& facts = pdf.facts();
  if (const auto title = facts.find("Title"); title != facts.end()) result.title = title->second;
  return result;
}

}  // namespace coppice::functions
