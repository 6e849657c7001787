#include "engine/function_code.h"

#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/files.h"
#include "base/sandbox.h"
#include "base/sha256.h"
#include "base/text.h"
#include "engine/command_text.h"

namespace coppice::engine {
namespace {

namespace fs = std::filesystem;

std::string digest_of(const fs::path& file, const std::string& bytes) {
  return to_hex(sha256(file.filename().string() + '\0' + bytes));
}

std::string read_code(const fs::path& file) {
  std::error_code error;
  if (fs::is_directory(file, error)) {
    throw Error(ErrorCode::kInvalidInput, fmt::format("{} is a folder", file.string()),
                "name one file; what it imports must be installed");
  }
  if (!fs::exists(file, error)) {
    throw Error(ErrorCode::kNotFound, fmt::format("there is no file {}", file.string()),
                "paths are relative to the folder that you are in");
  }
  return read_file(file);
}

// What every worker can reach needs no copy, and is updated by whoever looks after the system.
bool is_of_system(const fs::path& file) {
  for (const SandboxPath& path : system_paths()) {
    if (path.access != FileAccess::kRun) continue;
    if (file.string().starts_with(path.path.string() + "/")) return true;
  }
  return false;
}

fs::path find_program(const std::string& name) {
  const auto runs = [](const fs::path& file) {
    std::error_code error;
    return fs::is_regular_file(file, error) && ::access(file.c_str(), X_OK) == 0;
  };
  if (name.find('/') != std::string::npos) {
    const fs::path file = fs::absolute(name).lexically_normal();
    if (runs(file)) return file;
    const bool exists = fs::exists(file);
    throw Error(ErrorCode::kNotFound,
                fmt::format("{} {}", file.string(), exists ? "is not a program" : "is not there"),
                exists ? "make it one: chmod +x " + shell_quoted(file.string())
                       : "paths are relative to the folder that you are in");
  }
  const char* path = std::getenv("PATH");
  for (const std::string& folder : split(path == nullptr ? "/usr/bin:/bin" : path, ':')) {
    if (!folder.empty() && runs(fs::path(folder) / name)) return fs::path(folder) / name;
  }
  throw Error(ErrorCode::kNotFound, fmt::format("there is no program \"{}\" on the PATH", name),
              "install it, or give its path");
}

FunctionCode find_python(const FunctionDraft& draft) {
  const std::size_t colon = draft.source.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == draft.source.size()) {
    throw Error(ErrorCode::kUsage, fmt::format("AS '{}' names no function", draft.source),
                "name the file and the function in it: AS 'captions.py:caption'");
  }
  FunctionCode code;
  code.file = fs::absolute(draft.source.substr(0, colon)).lexically_normal();
  code.function = python_name(draft.source);
  if (code.file.extension() != ".py") {
    throw Error(ErrorCode::kUsage, fmt::format("{} is not a Python file", code.file.string()),
                "its name must end in .py");
  }
  code.bytes = read_code(code.file);
  code.digest = digest_of(code.file, code.bytes);
  return code;
}

FunctionCode find_command(const FunctionDraft& draft) {
  FunctionCode code;
  code.words = command_words(draft.source);
  check_command(code.words, draft.signature);
  const fs::path program = find_program(code.words[0]);
  if (is_of_system(program)) {
    code.words[0] = program.string();
    code.digest = to_hex(sha256(join(code.words, std::string(1, '\0'))));
    return code;
  }
  code.file = program;
  code.executable = true;
  code.bytes = read_code(program);
  code.digest = digest_of(program, code.bytes);
  return code;
}

void give_to(const fs::path& path, const std::optional<Account>& owner) {
  if (!owner || ::geteuid() != 0) return;
  if (::chown(path.c_str(), owner->uid, owner->gid) != 0) throw_errno("give away " + path.string());
}

}  // namespace

FunctionCode find_code(const FunctionDraft& draft) {
  return draft.signature.language == FunctionLanguage::kPython ? find_python(draft)
                                                               : find_command(draft);
}

void keep_code(const fs::path& home, const FunctionCode& code,
               const std::optional<Account>& owner) {
  if (code.file.empty()) return;
  const fs::path folder = code_folder(home, code.digest);
  for (const fs::path& level : {folder.parent_path(), folder}) {
    std::error_code error;
    if (!fs::create_directory(level, error)) {
      if (!error) continue;
      throw Error(ErrorCode::kIo,
                  fmt::format("cannot create {}: {}", level.string(), error.message()));
    }
    fs::permissions(level, static_cast<fs::perms>(0750));
    give_to(level, owner);
    sync_folder(level.parent_path());
  }
  const fs::path file = folder / code.file.filename();
  // Written as a whole, and named by what is in it.
  if (!fs::exists(file)) {
    write_file_atomically(file, code.bytes, code.executable ? 0750 : 0640);
  } else {
    fs::last_write_time(folder, fs::file_time_type::clock::now());  // nobody collects it now
  }
  give_to(file, owner);
}

fs::path code_folder(const fs::path& home, const std::string& digest) {
  return home / "functions" / digest;
}

std::optional<fs::path> code_file(const fs::path& home, const UserFunction& function) {
  if (!function.source_file) return std::nullopt;
  return code_folder(home, function.digest) / fs::path(*function.source_file).filename();
}

std::string python_name(const std::string& source) { return source.substr(source.rfind(':') + 1); }

std::optional<std::string> staleness(const UserFunction& function) {
  if (!function.source_file) return std::nullopt;
  const fs::path file(*function.source_file);
  std::error_code error;
  // The file need not be kept: the home has its copy.
  if (!fs::is_regular_file(file, error) || ::access(file.c_str(), R_OK) != 0) return std::nullopt;
  if (digest_of(file, read_file(file)) == function.digest) return std::nullopt;
  return fmt::format("{} has changed since", file.string());
}

}  // namespace coppice::engine
