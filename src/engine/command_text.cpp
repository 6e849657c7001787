#include "engine/command_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/error.h"

namespace coppice::engine {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";

class WordReader {
 public:
  explicit WordReader(std::string_view text) : text_(text) {}

  std::vector<std::string> read() {
    while (at_ < text_.size()) {
      if (kSpaces.find(text_[at_]) != std::string_view::npos) {
        ++at_;
      } else {
        words_.push_back(read_word());
      }
    }
    return std::move(words_);
  }

 private:
  std::string read_word() {
    std::string word;
    while (at_ < text_.size() && kSpaces.find(text_[at_]) == std::string_view::npos) {
      const char c = text_[at_++];
      if (c == '\'' || c == '"') {
        read_quoted(c, word);
      } else if (c == '\\') {
        if (at_ == text_.size()) fail("it ends with a backslash");
        word += text_[at_++];
      } else {
        word += c;
      }
    }
    return word;
  }

  void read_quoted(char quote, std::string& word) {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != quote) {
      const bool escape = quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size() &&
                          (text_[at_ + 1] == '"' || text_[at_ + 1] == '\\');
      if (escape) ++at_;
      word += text_[at_++];
    }
    if (at_ == text_.size()) {
      fail(fmt::format("a {} quote at character {} is never closed",
                       quote == '"' ? "double" : "single", begin));
    }
    ++at_;
  }

  [[noreturn]] static void fail(const std::string& what) {
    throw Error(ErrorCode::kUsage, "the command cannot be read: " + what);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<std::string> words_;
};

// "0", "out": what stands between braces.
std::vector<std::string> holes_of(const std::string& word) {
  std::vector<std::string> holes;
  for (std::size_t at = 0; at < word.size(); ++at) {
    const bool twice = at + 1 < word.size() && word[at + 1] == word[at];
    if ((word[at] == '{' || word[at] == '}') && twice) {
      ++at;
    } else if (word[at] == '}') {
      throw Error(ErrorCode::kUsage, fmt::format("the word {} has a }} alone", word),
                  "write }} twice for the character itself");
    } else if (word[at] == '{') {
      const std::size_t end = word.find('}', at);
      if (end == std::string::npos) {
        throw Error(ErrorCode::kUsage, fmt::format("the word {} has a {{ alone", word),
                    "write { twice for the character itself");
      }
      holes.push_back(word.substr(at + 1, end - at - 1));
      at = end;
    }
  }
  return holes;
}

}  // namespace

std::vector<std::string> command_words(std::string_view text) {
  std::vector<std::string> words = WordReader(text).read();
  if (words.empty() || words[0].empty()) {
    throw Error(ErrorCode::kUsage, "the command names no program", "AS 'program {0}'");
  }
  if (!holes_of(words[0]).empty()) {
    throw Error(ErrorCode::kUsage,
                fmt::format("the program itself cannot be an argument: {}", words[0]),
                "name one program; make a function for each");
  }
  return words;
}

void check_command(const std::vector<std::string>& words, const Signature& signature) {
  const std::size_t count = signature.parameters.size();
  std::set<std::size_t> used;
  bool writes = false;
  for (const std::string& word : words) {
    for (const std::string& hole : holes_of(word)) {
      if (hole == "out") {
        writes = true;
        continue;
      }
      std::size_t number = 0;
      const auto [end, code] = std::from_chars(hole.data(), hole.data() + hole.size(), number);
      if (code != std::errc() || end != hole.data() + hole.size() || number >= count) {
        throw Error(ErrorCode::kUsage,
                    fmt::format("the command has {{{}}}, and the function {} argument{}", hole,
                                count, count == 1 ? "" : "s"),
                    "arguments are {0}, {1}, … and the file to write is {out}");
      }
      used.insert(number);
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (used.contains(i)) continue;
    throw Error(
        ErrorCode::kUsage,
        fmt::format("the command does not use its argument \"{}\"", signature.parameters[i].name),
        fmt::format("put {{{}}} where it belongs, or take the parameter away", i));
  }
  const bool media = is_media(signature.result);
  if (media == writes) return;
  throw Error(ErrorCode::kUsage,
              media ? fmt::format("the command writes no {}", sql_type_name(signature.result))
                    : "the command has {out}, and its result is no media",
              media ? "put {out} where the program takes the name of the file to write"
                    : "the value is what the program writes to standard output");
}

}  // namespace coppice::engine
