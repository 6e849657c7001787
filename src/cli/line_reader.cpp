#include "cli/line_reader.h"

#include <fcntl.h>
#include <histedit.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/input_stream.h"

namespace coppice::cli {
namespace {

class StreamReader final : public LineReader {
 public:
  explicit StreamReader(Console& console) : input_(console.input_fd(), "standard input") {}

  Line read(const std::string&) override {
    Line line;
    if (!std::getline(input_.stream(), line.text)) line.end = Line::End::kEndOfInput;
    return line;
  }
  void remember(const std::string&) override {}

 private:
  InputStream input_;
};

extern "C" void note_interrupt(int) {}  // its only work is to make ppoll() return with EINTR

// Ctrl-C while a line is edited gives the line up; it must not end the program or a statement. The
// signal is held back except while wait_for_input() waits, so that none is lost between two keys.
class InterruptsLine {
 public:
  InterruptsLine() {
    struct sigaction action {};
    action.sa_handler = note_interrupt;
    sigemptyset(&action.sa_mask);
    ::sigaction(SIGINT, &action, &previous_action_);
    sigset_t interrupt;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &interrupt, &previous_mask_);
  }
  ~InterruptsLine() {
    ::pthread_sigmask(SIG_SETMASK, &previous_mask_, nullptr);
    ::sigaction(SIGINT, &previous_action_, nullptr);
  }
  InterruptsLine(const InterruptsLine&) = delete;
  InterruptsLine& operator=(const InterruptsLine&) = delete;

  // False when Ctrl-C came first.
  bool wait_for_input(int fd) const {
    pollfd ready = {.fd = fd, .events = POLLIN, .revents = 0};
    return ::ppoll(&ready, 1, nullptr, &previous_mask_) >= 0 || errno != EINTR;
  }

 private:
  struct sigaction previous_action_ {};
  sigset_t previous_mask_{};
};

struct CloseFile {
  void operator()(FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<FILE, CloseFile>;

File open_copy(int fd, const char* mode) {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  File file(copy < 0 ? nullptr : ::fdopen(copy, mode));
  if (!file) throw_errno("open the terminal");
  return file;
}

class EditingReader final : public LineReader {
 public:
  EditingReader(const Streams& streams, std::filesystem::path history_file, Completer completer)
      : input_(open_copy(streams.input, "r")),
        output_(open_copy(streams.output, "w")),
        errors_(open_copy(streams.errors, "w")),
        history_file_(std::move(history_file)),
        completer_(std::move(completer)),
        history_(::history_init()),
        editor_(::el_init("coppice", input_.get(), output_.get(), errors_.get())) {
    if (history_ == nullptr || editor_ == nullptr) {
      throw Error(ErrorCode::kIo, "the terminal cannot be used for line editing",
                  "check the variable TERM, or give the statements on standard input");
    }
    HistEvent event;
    ::history(history_, &event, H_SETSIZE, kHistoryEntries);
    ::history(history_, &event, H_SETUNIQUE, 1);
    ::history(history_, &event, H_LOAD, history_file_.c_str());
    ::el_set(editor_, EL_CLIENTDATA, this);
    ::el_set(editor_, EL_PROMPT, prompt_of);
    ::el_set(editor_, EL_EDITOR, "emacs");
    ::el_set(editor_, EL_HIST, ::history, history_);
    ::el_set(editor_, EL_GETCFN, read_character);
    ::el_set(editor_, EL_ADDFN, "coppice-complete", "Complete a name", complete);
    ::el_set(editor_, EL_BIND, "^I", "coppice-complete", nullptr);
    ::el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  }

  ~EditingReader() override {
    ::el_end(editor_);
    ::history_end(history_);
  }
  EditingReader(const EditingReader&) = delete;
  EditingReader& operator=(const EditingReader&) = delete;

  Line read(const std::string& prompt) override {
    const InterruptsLine interrupts;
    interrupts_ = &interrupts;
    prompt_ = prompt;
    interrupted_ = false;
    ::el_resize(editor_);
    int size = 0;
    const char* text = ::el_gets(editor_, &size);
    Line line;
    if (interrupted_) {
      std::fputs("^C\n", output_.get());
      std::fflush(output_.get());
      line.end = Line::End::kInterrupted;
    } else if (text == nullptr || size <= 0) {
      std::fputs("\n", output_.get());
      std::fflush(output_.get());
      line.end = Line::End::kEndOfInput;
    } else {
      line.text.assign(text, static_cast<std::size_t>(size));
      if (line.text.ends_with('\n')) line.text.pop_back();
    }
    return line;
  }

  void remember(const std::string& statement) override {
    HistEvent event;
    ::history(history_, &event, H_ENTER, statement.c_str());
    // Made beforehand, so that it is never readable by others, not even for a moment.
    const FileDescriptor file(::open(history_file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    if (!file || ::fchmod(file.get(), 0600) != 0) return;  // a shell without history still works
    ::history(history_, &event, H_SAVE, history_file_.c_str());
  }

 private:
  static constexpr int kHistoryEntries = 2000;

  static EditingReader& self(EditLine* editor) {
    void* data = nullptr;
    ::el_get(editor, EL_CLIENTDATA, &data);
    return *static_cast<EditingReader*>(data);
  }

  static char* prompt_of(EditLine* editor) { return self(editor).prompt_.data(); }

  // libedit's own reader takes EINTR for nothing; this one gives the line up.
  static int read_character(EditLine* editor, wchar_t* character) {
    EditingReader& reader = self(editor);
    const int fd = ::fileno(reader.input_.get());
    unsigned code = 0;
    int missing = 0;
    do {
      reader.interrupted_ = !reader.interrupts_->wait_for_input(fd);
      if (reader.interrupted_) return -1;
      unsigned char byte = 0;
      const ssize_t size = ::read(fd, &byte, 1);
      if (size <= 0) return size == 0 ? 0 : -1;
      if (missing > 0) {
        code = code << 6 | (byte & 0x3FU);
        --missing;
      } else {
        missing = byte < 0xC0 ? 0 : byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
        code = missing == 0 ? byte : byte & (0x3FU >> missing);
      }
    } while (missing > 0);
    *character = static_cast<wchar_t>(code);
    return 1;
  }

  static unsigned char complete(EditLine* editor, int) {
    try {
      return self(editor).complete_here();
    } catch (...) {
      return CC_ERROR;  // a completion that fails (no server) offers nothing
    }
  }

  unsigned char complete_here() {
    const LineInfo* line = ::el_line(editor_);
    const std::string text(line->buffer, static_cast<std::size_t>(line->cursor - line->buffer));
    std::vector<std::string> candidates;
    std::optional<std::string> common;
    for (const std::string& candidate : completer_(text)) {
      const std::optional<std::string> missing = missing_part(text, candidate);
      if (!missing) continue;
      candidates.push_back(candidate);
      if (!common) common = *missing;
      const auto [end, unused] =
          std::mismatch(common->begin(), common->end(), missing->begin(), missing->end());
      common->erase(end, common->end());
    }
    if (!common) return CC_ERROR;
    if (candidates.size() == 1) *common += ' ';
    if (!common->empty()) {
      ::el_insertstr(editor_, common->c_str());
      return CC_REFRESH;
    }
    list(candidates);
    return CC_REDISPLAY;
  }

  void list(std::vector<std::string>& candidates) {
    constexpr std::size_t kMost = 60;
    std::sort(candidates.begin(), candidates.end());
    candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
    const std::size_t shown = std::min(candidates.size(), kMost);
    std::string text = "\n";
    for (std::size_t i = 0; i < shown; ++i) text += candidates[i] + "  ";
    if (shown < candidates.size()) {
      text += "and " + std::to_string(candidates.size() - shown) + " more";
    }
    std::fputs((text + "\n").c_str(), output_.get());
    std::fflush(output_.get());
  }

  File input_, output_, errors_;
  std::filesystem::path history_file_;
  Completer completer_;
  std::string prompt_;
  bool interrupted_ = false;
  const InterruptsLine* interrupts_ = nullptr;  // while a line is read
  History* history_;
  EditLine* editor_;
};

bool is_name_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '"' || c == '$' ||
         c == '\\' || static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

std::unique_ptr<LineReader> make_stream_reader(Console& console) {
  return std::make_unique<StreamReader>(console);
}

std::unique_ptr<LineReader> make_editing_reader(const Streams& streams,
                                                const std::filesystem::path& history_file,
                                                Completer completer) {
  return std::make_unique<EditingReader>(streams, history_file, std::move(completer));
}

std::optional<std::string> missing_part(std::string_view text, std::string_view candidate) {
  std::size_t begin = text.size();
  while (begin > 0 && (is_name_character(text[begin - 1]) || text[begin - 1] == '.')) --begin;
  std::string_view word = text.substr(begin);
  for (;;) {
    if (starts_with_ignoring_case(candidate, word))
      return std::string(candidate.substr(word.size()));
    const std::size_t dot = word.find('.');
    if (dot == std::string_view::npos) return std::nullopt;
    // What is left names a column or a table of that schema, nothing qualified.
    if (candidate.find('.') != std::string_view::npos) return std::nullopt;
    word.remove_prefix(dot + 1);
  }
}

}  // namespace coppice::cli
