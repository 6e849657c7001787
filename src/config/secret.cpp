#include "config/secret.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/process.h"
#include "base/text.h"

namespace coppice {
namespace {

constexpr std::chrono::seconds kCommandTimeout{30};
constexpr std::size_t kMostBytes = 64 << 10;

constexpr const char* kForms =
    "write where the secret is, not the secret: env:NAME, file:/path or cmd:program arguments";

// What stands behind the colon, when `text` begins with `scheme`.
std::optional<std::string_view> behind(std::string_view text, std::string_view scheme) {
  if (!text.starts_with(scheme)) return std::nullopt;
  return text.substr(scheme.size());
}

bool is_variable_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return c == '_' || (c < 128 && std::isalnum(c) != 0);
  });
}

std::string read_variable(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  if (found != environment.end() && !found->second.empty()) return found->second;
  throw Error(ErrorCode::kNotFound, fmt::format("the environment variable {} is not set", name),
              fmt::format("export {}=…, or name another place: file:/path, cmd:program", name));
}

std::string read_secret_file(const std::string& path) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat facts {};
  if (!fd || ::fstat(fd.get(), &facts) != 0) {
    throw Error(ErrorCode::kNotFound, fmt::format("cannot read the secret in {}: {}", path,
                                                  std::generic_category().message(errno)));
  }
  if (!S_ISREG(facts.st_mode)) {
    throw Error(ErrorCode::kInvalidInput, fmt::format("{} is not a file", path));
  }
  if (facts.st_uid == ::geteuid() && (facts.st_mode & 077) != 0) {
    throw Error(ErrorCode::kRefused,
                fmt::format("the secret in {} can be read by others (mode {:03o})", path,
                            facts.st_mode & 0777),
                "chmod 600 " + shell_quoted(path));
  }
  std::string text(kMostBytes, '\0');
  const ssize_t count = ::read(fd.get(), text.data(), text.size());
  if (count < 0) throw_errno("read " + path);
  text.resize(static_cast<std::size_t>(count));
  return text;
}

std::string run_secret_command(std::string_view command, const std::string& shown) {
  ChildOptions options;
  options.argv = split_words(command);
  options.input = Pipe::kNull;
  options.output = Pipe::kPipe;
  options.errors = Pipe::kNull;
  const RunResult result = run_program(options, kCommandTimeout, kMostBytes);
  if (result.timed_out) {
    throw Error(ErrorCode::kUnavailable,
                fmt::format("{} did not end within {} s", shown, kCommandTimeout.count()));
  }
  if (!result.status.ok()) {
    throw Error(ErrorCode::kUnavailable,
                fmt::format("{} failed with exit code {}", shown, result.status.code),
                "run it in a shell to see why; what it prints is not shown here");
  }
  return result.output;
}

}  // namespace

std::optional<std::string> secret_reference_refusal(std::string_view text) {
  if (const auto name = behind(text, "env:")) {
    if (is_variable_name(*name)) return std::nullopt;
    return "env: must be followed by the name of a variable";
  }
  if (const auto path = behind(text, "file:")) {
    if (path->starts_with('/')) return std::nullopt;
    return "file: must be followed by an absolute path";
  }
  if (const auto command = behind(text, "cmd:")) {
    try {
      if (!split_words(*command).empty()) return std::nullopt;
    } catch (const Error& error) {
      return error.message();
    }
    return "cmd: must be followed by a program";
  }
  return "it is no secret reference; " + std::string(kForms);
}

std::string printable_reference(std::string_view reference) {
  if (secret_reference_refusal(reference)) return "***";
  const auto command = behind(reference, "cmd:");
  if (!command) return std::string(reference);
  const std::vector<std::string> words = split_words(*command);
  return "cmd:" + words.front() + (words.size() > 1 ? " …" : "");
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  char quote = 0;
  bool in_word = false;
  for (const char c : text) {
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else {
        words.back() += c;
      }
      continue;
    }
    const bool blank = c == ' ' || c == '\t' || c == '\n';
    if (!blank && !in_word) words.emplace_back();
    in_word = !blank;
    if (c == '\'' || c == '"') {
      quote = c;
    } else if (!blank) {
      words.back() += c;
    }
  }
  if (quote != 0) throw Error(ErrorCode::kUsage, "a quote is not closed");
  return words;
}

std::string Secrets::resolve(const std::string& reference) {
  const std::lock_guard lock(mutex_);
  const auto known = values_.find(reference);
  if (known != values_.end()) return known->second;
  std::string value = read(reference);
  values_.emplace(reference, value);
  return value;
}

std::string Secrets::read(const std::string& reference) const {
  if (const auto refusal = secret_reference_refusal(reference)) {
    throw Error(ErrorCode::kUsage, "a secret cannot be resolved: " + *refusal, kForms);
  }
  const std::string shown = printable_reference(reference);
  std::string value;
  if (const auto name = behind(reference, "env:")) {
    value = read_variable(environment_, std::string(*name));
  } else if (const auto path = behind(reference, "file:")) {
    value = read_secret_file(std::string(*path));
  } else {
    value = run_secret_command(*behind(reference, "cmd:"), shown);
  }
  value = trim(value);
  if (value.empty()) {
    throw Error(ErrorCode::kNotFound, fmt::format("the secret {} is empty", shown));
  }
  const bool plain =
      std::all_of(value.begin(), value.end(), [](unsigned char c) { return c >= 32 && c != 127; });
  if (!plain) {
    throw Error(ErrorCode::kInvalidInput,
                fmt::format("the secret {} has more than one line or a control character", shown));
  }
  return value;
}

bool Secrets::is_there(const std::string& reference) const {
  const auto name = behind(reference, "env:");
  if (!name) return true;
  const auto found = environment_.find(std::string(*name));
  return found != environment_.end() && !found->second.empty();
}

std::string Secrets::filtered(std::string text) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [reference, value] : values_) {
    // What is that short stands in any text by chance, and is no secret.
    if (value.size() < 4) continue;
    for (std::size_t at = 0; (at = text.find(value, at)) != std::string::npos; at += 3) {
      text.replace(at, value.size(), "***");
    }
  }
  return text;
}

}  // namespace coppice
