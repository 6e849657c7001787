// Function code: the files of users' functions, copied into the home when a function is made.
//
// Model    HOME/functions/<digest>/<file name>; the digest is SHA-256 over the name and the bytes.
//          Workers run the copy and nothing else, so that what is stored was computed by code that
//          is known. The file that was copied may change afterwards: then the function is stale,
//          and CREATE OR REPLACE takes the new code.
// Errors   kNotFound for files and programs that are not there, kInvalidInput for other kinds of
// file.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/process.h"
#include "engine/function_draft.h"
#include "engine/user_function.h"

namespace coppice::engine {

// Where the code comes from, and what is in it.
struct FunctionCode {
  std::filesystem::path file;  // absolute; empty: a program of the system, which is not copied
  std::string bytes;
  bool executable = false;
  std::string digest;
  std::string function;            // of Python: the name in the file
  std::vector<std::string> words;  // of a command
};

// Reads what AS names, relative to the working directory.
FunctionCode find_code(const FunctionDraft& draft);
// Copies it into the home.
void keep_code(const std::filesystem::path& home, const FunctionCode& code,
               const std::optional<Account>& owner);

std::filesystem::path code_folder(const std::filesystem::path& home, const std::string& digest);
// The copy that workers run; nullopt when nothing was copied.
std::optional<std::filesystem::path> code_file(const std::filesystem::path& home,
                                               const UserFunction& function);
// "captions.py:caption" -> "caption"
std::string python_name(const std::string& source);

// Why the function is not what its source is now: "captions.py has changed"; nullopt: it is the
// same.
std::optional<std::string> staleness(const UserFunction& function);

}  // namespace coppice::engine
