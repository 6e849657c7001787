// LineReader: where the shell's lines come from: a person with an editor, or a stream.
//
// Threads  One thread.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/console.h"

namespace coppice::cli {

struct Line {
  enum class End { kLine, kInterrupted, kEndOfInput } end = End::kLine;
  std::string text;  // without the line end
};

class LineReader {
 public:
  virtual ~LineReader() = default;
  virtual Line read(const std::string& prompt) = 0;
  // A whole statement, for the history.
  virtual void remember(const std::string& statement) = 0;
};

// What may follow at the end of the text before the cursor.
using Completer = std::function<std::vector<std::string>(std::string_view text)>;

// Lines of standard input without editing.
std::unique_ptr<LineReader> make_stream_reader(Console& console);

// Line editing by libedit on the terminal of `streams`. The history is kept in `history_file`,
// readable by its owner only.
std::unique_ptr<LineReader> make_editing_reader(const Streams& streams,
                                                const std::filesystem::path& history_file,
                                                Completer completer);

// The part of `candidate` that is missing after `text`, when the end of `text` begins it (the case
// of letters aside); the end may begin after a dot: "films.fi" and "film". nullopt when not.
std::optional<std::string> missing_part(std::string_view text, std::string_view candidate);

}  // namespace coppice::cli
