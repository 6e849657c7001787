#include "engine/copy_header.h"

#include <fmt/core.h>

#include <memory>
#include <utility>

#include "base/error.h"

namespace coppice::engine {
namespace {

// One line, cut into its fields while it is read.
class HeaderReader {
 public:
  explicit HeaderReader(const HeaderForm& form) : form_(form) {}

  // Returns whether the line ends with this character.
  bool take(char c) {
    if (quoted_) {
      take_quoted(c);
      return false;
    }
    const bool again = std::exchange(reopen_, false);
    if (c == '\n') {
      if (field_.ends_with('\r')) field_.pop_back();
      fields_.push_back(std::move(field_));
      return true;
    }
    if (c == form_.delimiter) {
      fields_.push_back(std::move(field_));
      field_.clear();
    } else if (form_.csv && c == form_.quote) {
      if (again) field_ += c;  // two quotes are one
      quoted_ = true;
    } else {
      field_ += c;
    }
    return false;
  }
  std::vector<std::string> finish() {
    take('\n');
    return std::move(fields_);
  }
  const std::vector<std::string>& fields() const { return fields_; }

 private:
  // Inside quotes. A quote that is escaped by itself is seen as an end and a beginning.
  void take_quoted(char c) {
    if (escaped_) {
      if (c != form_.quote && c != form_.escape) field_ += form_.escape;
      field_ += c;
      escaped_ = false;
    } else if (c == form_.escape && form_.escape != form_.quote) {
      escaped_ = true;
    } else if (c == form_.quote) {
      quoted_ = false;
      if (form_.escape == form_.quote) reopen_ = true;
    } else {
      field_ += c;
    }
  }

  HeaderForm form_;
  bool quoted_ = false;
  bool escaped_ = false;
  bool reopen_ = false;
  std::string field_;
  std::vector<std::string> fields_;
};

void compare(const std::vector<std::string>& found, const std::vector<std::string>& columns,
             const std::string& table) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorCode::kInvalidInput, fmt::format("{} (COPY {}, line 1)", what, table));
  };
  if (found.size() != columns.size()) {
    refuse(fmt::format("wrong number of fields in header line: got {}, expected {}", found.size(),
                       columns.size()));
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i] == columns[i]) continue;
    refuse(fmt::format("column name mismatch in header line field {}: got \"{}\", expected \"{}\"",
                       i + 1, found[i], columns[i]));
  }
}

}  // namespace

DataSource with_checked_header(DataSource source, const HeaderForm& form,
                               const std::vector<std::string>& columns, const std::string& table) {
  auto begin = std::make_shared<std::string>();
  HeaderReader reader(form);
  bool complete = false;
  while (!complete) {
    const std::string_view piece = source();
    if (piece.empty()) break;
    for (const char c : piece) {
      complete = reader.take(c);
      if (complete) break;
    }
    begin->append(piece);
  }
  if (!begin->empty()) compare(complete ? reader.fields() : reader.finish(), columns, table);
  return [begin, source = std::move(source), given = false]() mutable -> std::string_view {
    if (given) return source();
    given = true;
    return begin->empty() ? source() : std::string_view(*begin);
  };
}

}  // namespace coppice::engine
