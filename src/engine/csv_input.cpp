#include "engine/csv_input.h"

#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "engine/input_lines.h"

namespace coppice::engine {
namespace {

constexpr std::size_t kLongestHeaderBytes = 1 << 20;

bool is_line_end(char c) { return c == '\n' || c == '\r'; }

// Looks at whole lines: the beginning of one that may be a marker waits for the next piece.
class MarkerQuoter {
 public:
  explicit MarkerQuoter(DataSource source) : source_(std::move(source)) {}

  std::string_view next() {
    for (;;) {
      const std::string_view piece = source_();
      const bool at_end = piece.empty();
      if (at_end && waiting_.empty()) return {};
      if (waiting_.empty() && !may_wait(piece)) return quoted(piece);
      data_ = std::exchange(waiting_, {});
      data_ += piece;
      if (!at_end) {
        const std::size_t begin = last_line(data_);
        if (is_beginning(std::string_view(data_).substr(begin))) {
          waiting_ = data_.substr(begin);
          data_.resize(begin);
        }
      }
      if (!data_.empty()) return quoted(data_);
    }
  }

 private:
  std::size_t last_line(std::string_view data) const {
    std::size_t begin = data.size();
    while (begin > 0 && !is_line_end(data[begin - 1])) --begin;
    // A \r at the end may belong to a marker before it.
    if (begin == data.size() && begin >= 3 && data.ends_with("\\.\r")) begin -= 3;
    return begin;
  }

  // Of "\.\r" or "\." at the beginning of a line, without what decides whether it is a marker.
  static bool is_beginning(std::string_view line) {
    return line == "\\" || line == "\\." || line == "\\.\r";
  }

  bool may_wait(std::string_view piece) const {
    const std::size_t begin = last_line(piece);
    return is_beginning(piece.substr(begin));
  }

  // The piece, with quotes around the markers that stand outside of quotes.
  std::string_view quoted(std::string_view piece) {
    std::string changed;
    std::size_t done = 0;
    for (std::size_t at = piece.find("\\."); at != std::string_view::npos;
         at = piece.find("\\.", at + 2)) {
      const char before = at == 0 ? last_byte_ : piece[at - 1];
      if (!is_line_end(before) || (at + 2 < piece.size() && !is_line_end(piece[at + 2]))) continue;
      count_quotes(piece.substr(done, at - done));
      changed.append(piece, done, at - done);
      changed += in_quotes_ ? "\\." : "\"\\.\"";
      done = at + 2;
    }
    const std::string_view rest = piece.substr(done);
    count_quotes(rest);
    last_byte_ = piece.back();
    if (done == 0) return piece;
    result_ = std::move(changed);
    result_ += rest;
    return result_;
  }

  void count_quotes(std::string_view text) {
    if (std::count(text.begin(), text.end(), '"') % 2 != 0) in_quotes_ = !in_quotes_;
  }

  DataSource source_;
  std::string waiting_;
  std::string data_;
  std::string result_;
  char last_byte_ = '\n';  // of what was given out
  bool in_quotes_ = false;
};

// Quotes and doubled quotes as RFC 4180 has them.
std::vector<std::string> fields_of(std::string_view record) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < record.size(); ++i) {
    const char c = record[i];
    if (quoted && c == '"' && i + 1 < record.size() && record[i + 1] == '"') {
      fields.back() += '"';
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else if (!is_line_end(c)) {
      fields.back() += c;
    }
  }
  return fields;
}

}  // namespace

DataSource quote_end_markers(DataSource source) {
  auto quoter = std::make_shared<MarkerQuoter>(std::move(source));
  return [quoter] { return quoter->next(); };
}

CsvHeader read_csv_header(std::istream& input, const std::string& input_name) {
  CsvHeader header;
  std::string line;
  bool in_quotes = false;
  do {
    if (!read_line(input, line, input_name + ", line 1", kLongestHeaderBytes)) break;
    header.record += line + "\n";
    in_quotes ^= std::count(line.begin(), line.end(), '"') % 2 != 0;
  } while (in_quotes && header.record.size() < kLongestHeaderBytes);
  if (trim(header.record).empty()) {
    throw Error(ErrorCode::kInvalidInput, input_name + " is empty",
                "its first line must name the columns");
  }
  if (const auto invalid = first_invalid_utf8(header.record)) {
    throw Error(ErrorCode::kInvalidInput,
                fmt::format("{} is not UTF-8 text: byte 0x{:02x} in its first line", input_name,
                            static_cast<unsigned char>(header.record[*invalid])),
                "save it as UTF-8, or: iconv -f CHARSET -t UTF-8 FILE | coppice insert TABLE "
                "--from -");
  }
  if (in_quotes) {
    throw Error(ErrorCode::kInvalidInput, input_name + ", line 1: a quote is not closed",
                "the first line must name the columns; a quote within a name is written \"\"");
  }
  std::string_view names = header.record;
  if (names.starts_with("\xef\xbb\xbf")) names.remove_prefix(3);
  for (const std::string& field : fields_of(names)) header.names.emplace_back(trim(field));
  return header;
}

}  // namespace coppice::engine
