// TestFile: a .test file, read into the commands it is made of. tests/sql/README.md has the format.
//
// Errors   Throws Error{kInvalidInput} naming file and line for what the format does not know.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace coppice::sql_test {

enum class CommandKind { kStatement, kQuery, kFile, kLet, kRestart, kProgram };
enum class Who { kEngine, kReader, kOwner };

struct Command {
  CommandKind kind = CommandKind::kStatement;
  int line = 0;  // of its first line, from 1
  Who who = Who::kEngine;
  std::string text;  // SQL; the content of a file; the arguments of a program

  // kStatement
  bool expects_error = false;
  std::string pattern;  // of the error
  std::string tag;      // empty: any
  bool checks_version = false;
  std::optional<std::int64_t> version;  // nullopt: none

  // kQuery, kProgram
  bool sorted = false;
  bool names = false;
  bool json = false;  // kProgram: compare the named keys only
  bool checks_rows = false;
  std::vector<std::string> rows;
  int exit_code = 0;

  std::string name;  // kFile, kLet
};

struct TestFile {
  std::filesystem::path path;
  std::string name;            // "constraints/unique"
  bool as_postgresql = false;  // carries "# postgresql: same"
  int from_server = 0;  // the majors that it is written for: "# server: 15-", "# server: -15"
  int to_server = 1000;
  std::vector<Command> commands;
};

TestFile read_test_file(const std::filesystem::path& folder, const std::filesystem::path& path);

// Every .test file under `folder`, by name.
std::vector<std::filesystem::path> find_test_files(const std::filesystem::path& folder);

}  // namespace coppice::sql_test
