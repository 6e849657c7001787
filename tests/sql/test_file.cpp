#include "test_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <regex>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"

namespace coppice::sql_test {
namespace {

class Reader {
 public:
  Reader(const std::filesystem::path& path, TestFile& file)
      : file_(file), lines_(split(read_file(path), '\n')) {}

  void read() {
    while (next_ < lines_.size()) {
      const std::string line(trim(lines_[next_]));
      if (line == "# postgresql: same") file_.as_postgresql = true;
      if (line.starts_with("# server: ")) read_servers(line.substr(10));
      if (line.empty() || line.front() == '#') {
        ++next_;
      } else {
        read_command(line);
      }
    }
    if (who_ != Who::kEngine) refuse(next_, "\"as\" with nothing after it");
  }

 private:
  [[noreturn]] void refuse(std::size_t line, const std::string& what) const {
    throw Error(ErrorCode::kInvalidInput, fmt::format("{}:{}: {}", file_.path.string(), line, what),
                "tests/sql/README.md describes the format");
  }

  // "15-", "-15", "13-15"
  void read_servers(const std::string& range) {
    std::smatch parts;
    if (!std::regex_match(range, parts, std::regex("(\\d*)-(\\d*)"))) {
      refuse(next_ + 1, "# server: 15-, or -15, or 13-15");
    }
    if (parts[1].length() > 0) file_.from_server = std::stoi(parts[1]);
    if (parts[2].length() > 0) file_.to_server = std::stoi(parts[2]);
  }

  void read_command(const std::string& line) {
    const std::string word = line.substr(0, line.find(' '));
    const std::string rest(trim(std::string_view(line).substr(word.size())));
    Command command;
    command.line = static_cast<int>(next_) + 1;
    ++next_;
    if (word == "as") {
      if (rest != "reader" && rest != "owner") refuse(next_, "as reader, or as owner");
      who_ = rest == "reader" ? Who::kReader : Who::kOwner;
      return;
    }
    command.who = std::exchange(who_, Who::kEngine);
    if (word == "statement") {
      read_statement(command, rest);
    } else if (word == "query") {
      read_query(command, rest);
    } else if (word == "file") {
      read_content(command, rest);
    } else if (word == "let") {
      command.kind = CommandKind::kLet;
      command.name = rest;
      command.text = read_sql(false);
    } else if (word == "restart") {
      command.kind = CommandKind::kRestart;
    } else if (word == "command") {
      read_program(command, rest);
    } else {
      refuse(next_, fmt::format("no command \"{}\"", word));
    }
    file_.commands.push_back(std::move(command));
  }

  void read_statement(Command& command, const std::string& rest) {
    command.kind = CommandKind::kStatement;
    if (starts_with_ignoring_case(rest, "error")) {
      command.expects_error = true;
      command.pattern = trim(std::string_view(rest).substr(5));
      if (command.pattern.empty()) refuse(next_, "statement error needs a regular expression");
    } else if (rest == "ok" || rest.rfind("ok ", 0) == 0) {
      read_expectation(command, std::string(trim(std::string_view(rest).substr(2))));
    } else {
      refuse(next_, "statement ok, or statement error REGEX");
    }
    command.text = read_sql(false);
  }

  static void read_expectation(Command& command, const std::string& text) {
    static const std::regex kVersion(R"(^(.*?)\s*\bversion (\d+|none)$)");
    std::smatch found;
    command.tag = text;
    if (!std::regex_match(text, found, kVersion)) return;
    command.tag = found[1];
    command.checks_version = true;
    if (found[2] != "none") command.version = std::stoll(found[2]);
  }

  void read_query(Command& command, const std::string& rest) {
    command.kind = CommandKind::kQuery;
    for (const std::string& word : split(rest, ' ')) {
      if (word == "sort") {
        command.sorted = true;
      } else if (word == "names") {
        command.names = true;
      } else if (!word.empty()) {
        refuse(next_, fmt::format("query does not know \"{}\"", word));
      }
    }
    command.text = read_sql(true);
    if (next_ >= lines_.size() || lines_[next_] != "----") refuse(next_ + 1, "query needs ----");
    read_rows(command);
  }

  void read_program(Command& command, std::string rest) {
    command.kind = CommandKind::kProgram;
    static const std::regex kExit(R"(^exit (\d+) (.*)$)");
    std::smatch found;
    if (std::regex_match(rest, found, kExit)) {
      command.exit_code = std::stoi(found[1]);
      rest = std::string(found[2]);
    }
    if (rest.rfind("json ", 0) == 0) {
      command.json = true;
      rest = rest.substr(5);
    }
    command.text = rest;
    if (next_ < lines_.size() && lines_[next_] == "----") read_rows(command);
  }

  void read_rows(Command& command) {
    command.checks_rows = true;
    for (++next_; next_ < lines_.size() && !trim(lines_[next_]).empty(); ++next_) {
      command.rows.push_back(lines_[next_]);
    }
  }

  // SQL up to an empty line; with `until_bar`, up to the line "----", empty lines included.
  std::string read_sql(bool until_bar) {
    std::string text;
    for (; next_ < lines_.size(); ++next_) {
      if (until_bar ? lines_[next_] == "----" : trim(lines_[next_]).empty()) break;
      if (!text.empty()) text += '\n';
      text += lines_[next_];
    }
    if (text.empty()) refuse(next_ + 1, "SQL is missing");
    return text;
  }

  void read_content(Command& command, const std::string& rest) {
    command.kind = CommandKind::kFile;
    const std::vector<std::string> words = split(rest, ' ');
    const bool hex = words.size() == 2 && words[1] == "hex";
    if (words.size() > 2 || (words.size() == 2 && !hex))
      refuse(next_, "file NAME, or file NAME hex");
    command.name = words[0];
    const std::size_t begin = next_;
    for (; next_ < lines_.size() && lines_[next_] != "end"; ++next_) {
      command.text += hex ? std::string(trim(lines_[next_])) : lines_[next_] + "\n";
    }
    if (next_ >= lines_.size()) refuse(begin, "file without end");
    ++next_;
    if (hex) command.text = from_hex(command.text, begin);
  }

  std::string from_hex(const std::string& digits, std::size_t line) const {
    if (digits.size() % 2 != 0 || digits.find_first_not_of("0123456789abcdef") != std::string::npos)
      refuse(line, "hex takes pairs of 0-9a-f");
    std::string bytes;
    for (std::size_t i = 0; i < digits.size(); i += 2) {
      bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
    }
    return bytes;
  }

  TestFile& file_;
  std::vector<std::string> lines_;
  std::size_t next_ = 0;
  Who who_ = Who::kEngine;
};

}  // namespace

TestFile read_test_file(const std::filesystem::path& folder, const std::filesystem::path& path) {
  TestFile file;
  file.path = path;
  file.name = std::filesystem::relative(path, folder).replace_extension().string();
  Reader(path, file).read();
  return file;
}

std::vector<std::filesystem::path> find_test_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".test") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace coppice::sql_test
