#include "file_run.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <regex>
#include <utility>

#include "base/error.h"
#include "base/process.h"
#include "base/text.h"
#include "compare.h"
#include "session.h"

namespace coppice::sql_test {
namespace {

constexpr auto kProgramTimeout = std::chrono::seconds(120);

// "a 'b c' \"d\"" as a shell would take it apart.
std::vector<std::string> split_words(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  bool inside = false;
  char quote = 0;
  for (const char c : text) {
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else {
        word += c;
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      inside = true;
    } else if (c == ' ') {
      if (inside) words.push_back(std::exchange(word, {}));
      inside = false;
    } else {
      word += c;
      inside = true;
    }
  }
  if (inside) words.push_back(word);
  return words;
}

class FileRun {
 public:
  FileRun(const TestFile& file, Place& place, const RunOptions& options)
      : file_(file), place_(place), options_(options) {
    variables_["media"] = options.media.string();
    variables_["folder"] = place.folder().string();
  }

  std::optional<std::string> run() {
    for (const Command& command : file_.commands) {
      std::optional<std::string> problem;
      try {
        problem = run_command(command);
      } catch (const Error& error) {
        problem = fmt::format("{}: {}", code_name(error.code()), error.message());
      }
      if (problem) {
        return fmt::format("{}:{}: {}\n{}", file_.path.string(), command.line, *problem,
                           substitute(command.kind == CommandKind::kFile ? "" : command.text));
      }
    }
    return std::nullopt;
  }

 private:
  std::optional<std::string> run_command(const Command& command) {
    switch (command.kind) {
      case CommandKind::kStatement:
        return statement(command);
      case CommandKind::kQuery:
        return query(command);
      case CommandKind::kFile:
        write_file_atomically(place_.folder() / command.name, command.text, 0644);
        return std::nullopt;
      case CommandKind::kLet:
        return let(command);
      case CommandKind::kRestart:
        engine_.reset();
        reader_.reset();
        owner_.reset();
        place_.restart();
        return std::nullopt;
      case CommandKind::kProgram:
        return program(command);
    }
    return "a kind of command without code";
  }

  std::optional<std::string> statement(const Command& command) {
    const Answer answer = run_sql(command);
    if (command.expects_error) {
      if (!answer.error) return "an error was expected; it succeeded: " + answer.tag;
      if (std::regex_search(*answer.error, std::regex(substitute(command.pattern))))
        return std::nullopt;
      return fmt::format("another error was expected\n- {}\n+ {}", substitute(command.pattern),
                         *answer.error);
    }
    if (answer.error) return *answer.error;
    if (!command.tag.empty() && answer.tag != command.tag)
      return fmt::format("another tag was expected\n- {}\n+ {}", command.tag, answer.tag);
    if (command.checks_version && answer.version != command.version) {
      const auto text = [](const std::optional<std::int64_t>& version) {
        return version ? std::to_string(*version) : std::string("none");
      };
      return fmt::format("another version was expected\n- {}\n+ {}", text(command.version),
                         text(answer.version));
    }
    return std::nullopt;
  }

  std::optional<std::string> query(const Command& command) {
    Answer answer = run_sql(command);
    if (answer.error) return *answer.error;
    std::vector<std::string> expected;
    for (const std::string& row : command.rows) expected.push_back(substitute(row));
    const auto first = expected.begin() + (command.names && !expected.empty() ? 1 : 0);
    if (command.sorted) {
      std::sort(answer.rows.begin(), answer.rows.end());
      std::sort(first, expected.end());
    }
    if (command.names) {
      std::vector<std::optional<std::string_view>> names(answer.names.begin(), answer.names.end());
      answer.rows.insert(answer.rows.begin(), render_row(names));
    }
    return compare(expected, answer.rows, row_matches);
  }

  static std::optional<std::string> compare(const std::vector<std::string>& expected,
                                            const std::vector<std::string>& actual,
                                            RowMatch match) {
    if (rows_match(expected, actual, match)) return std::nullopt;
    return "other rows were expected (-) than came (+)\n" + difference(expected, actual, match);
  }

  std::optional<std::string> let(const Command& command) {
    const Answer answer = run_sql(command);
    if (answer.error) return *answer.error;
    if (answer.rows.size() != 1 || answer.names.size() != 1 || !answer.first_value)
      return fmt::format("let takes one value; {} rows of {} columns came", answer.rows.size(),
                         answer.names.size());
    variables_[command.name] = *answer.first_value;
    return std::nullopt;
  }

  std::optional<std::string> program(const Command& command) {
    ChildOptions child;
    child.argv = split_words(substitute(command.text));
    child.argv.insert(child.argv.begin(), options_.program.string());
    child.environment["COPPICE_HOME"] = place_.home().string();
    child.environment["COPPICE_MEDIA_WORKER"] = "";  // the program has its own
    child.folder = place_.folder();
    const RunResult result = run_program(child, kProgramTimeout);
    if (result.timed_out) return "it did not end";
    if (result.status.code != command.exit_code) {
      return fmt::format("exit code {} was expected, {} came\n{}{}", command.exit_code,
                         result.status.code, result.output, result.errors);
    }
    if (!command.checks_rows) return std::nullopt;
    std::vector<std::string> lines = split(result.output, '\n');
    if (!lines.empty() && lines.back().empty()) lines.pop_back();
    std::vector<std::string> expected;
    for (const std::string& row : command.rows) expected.push_back(substitute(row));
    return compare(expected, lines, command.json ? json_matches : row_matches);
  }

  Answer run_sql(const Command& command) {
    return session(command.who).run(substitute(command.text));
  }

  Session& session(Who who) {
    if (place_.engine() == nullptr || who == Who::kOwner) {
      if (!owner_) owner_ = server_session(place_.owner_conninfo());
      return *owner_;
    }
    if (who == Who::kReader) {
      if (!reader_) reader_ = server_session(place_.engine()->status().database_url);
      return *reader_;
    }
    if (!engine_) engine_ = engine_session(*place_.engine());
    return *engine_;
  }

  std::string substitute(std::string text) const {
    for (const auto& [name, value] : variables_) {
      const std::string mark = "${" + name + "}";
      for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos;) {
        text.replace(at, mark.size(), value);
        at += value.size();
      }
    }
    return text;
  }

  const TestFile& file_;
  Place& place_;
  const RunOptions& options_;
  std::map<std::string, std::string> variables_;
  std::unique_ptr<Session> engine_, reader_, owner_;
};

}  // namespace

std::optional<std::string> run_file(const TestFile& file, Place& place, const RunOptions& options) {
  return FileRun(file, place, options).run();
}

}  // namespace coppice::sql_test
