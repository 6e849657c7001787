// sql_runner: runs the .test files of tests/sql and reports TAP. tests/sql/README.md says what a
// file may hold.
//
//   sql_runner [--private | --plain] [--list] [--long] [NAME…]
#include <fmt/core.h>
#include <fnmatch.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/process.h"
#include "base/text.h"
#include "file_run.h"
#include "pg/connection.h"

namespace coppice::sql_test {
namespace {

struct Arguments {
  PlaceKind kind = PlaceKind::kDatabase;
  bool list = false;
  std::vector<std::string> names;
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--private") {
      arguments.kind = PlaceKind::kPrivate;
    } else if (word == "--plain") {
      arguments.kind = PlaceKind::kPlain;
    } else if (word == "--list") {
      arguments.list = true;
    } else if (word == "--long") {
      // The files are the same in the quick set and the long one.
    } else if (word.rfind("--", 0) == 0) {
      throw Error(ErrorCode::kUsage, "sql_runner does not know " + word);
    } else {
      arguments.names.push_back(word);
    }
  }
  return arguments;
}

bool is_asked_for(const std::string& name, const std::vector<std::string>& patterns) {
  if (patterns.empty()) return true;
  for (const std::string& pattern : patterns) {
    if (name == pattern || name.rfind(pattern + "/", 0) == 0) return true;
    if (::fnmatch(pattern.c_str(), name.c_str(), 0) == 0) return true;
  }
  return false;
}

std::string environment(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == 0 ? otherwise : value;
}

// The pictures, clips, sounds and documents that files call ${media}.
std::filesystem::path media_folder(const std::filesystem::path& scratch) {
  if (const std::string given = environment("COPPICE_TEST_MEDIA", ""); !given.empty()) return given;
  const std::filesystem::path folder = scratch / "media";
  ChildOptions child;
  child.argv = {"/usr/bin/python3", COPPICE_SOURCE_DIR "/tests/support/make_media.py",
                folder.string()};
  const RunResult result = run_program(child, std::chrono::seconds(120));
  if (!result.status.ok())
    throw Error(ErrorCode::kIo, "cannot make the media of the tests: " + result.errors);
  return folder;
}

class Tap {
 public:
  void passed(const std::string& name) { line(fmt::format("ok {} - {}", ++count_, name)); }
  void skipped(const std::string& name, const std::string& reason) {
    line(fmt::format("ok {} - {} # SKIP {}", ++count_, name, reason));
  }
  void failed(const std::string& name, const std::string& detail) {
    ++failures_;
    line(fmt::format("not ok {} - {}", ++count_, name));
    for (const std::string& text : split(detail, '\n')) line("# " + text);
  }
  int end() {
    line(fmt::format("1..{}", count_));
    return failures_ > 0 ? 1 : 0;
  }

 private:
  static void line(const std::string& text) { std::cout << text << std::endl; }
  int count_ = 0;
  int failures_ = 0;
};

bool is_for_server(const TestFile& file, Place& place) {
  if (file.from_server == 0 && file.to_server == TestFile().to_server) return true;
  const int major = pg::Connection::connect(place.owner_conninfo()).server_version() / 10'000;
  return major >= file.from_server && major <= file.to_server;
}

void run_one(const TestFile& file, Places& places, const RunOptions& options, Tap& tap) {
  try {
    const std::unique_ptr<Place> place = places.make();
    if (!is_for_server(file, *place)) {
      return tap.skipped(file.name, "it is about other majors of PostgreSQL");
    }
    if (const auto problem = run_file(file, *place, options))
      return tap.failed(file.name, *problem);
    tap.passed(file.name);
  } catch (const Error& error) {
    tap.failed(file.name, fmt::format("{}: {}: {} {}", file.path.string(), code_name(error.code()),
                                      error.message(), error.hint()));
  }
}

int run(const Arguments& arguments) {
  const std::filesystem::path folder = COPPICE_SOURCE_DIR "/tests/sql";
  std::vector<TestFile> files;
  for (const std::filesystem::path& path : find_test_files(folder)) {
    TestFile file = read_test_file(folder, path);
    if (arguments.kind == PlaceKind::kPlain && !file.as_postgresql) continue;
    if (is_asked_for(file.name, arguments.names)) files.push_back(std::move(file));
  }
  if (arguments.list) {
    for (const TestFile& file : files) std::cout << file.name << "\n";
    return 0;
  }

  // The engine runs in this process: function workers are the build's own.
  ::setenv("COPPICE_MEDIA_WORKER", COPPICE_BUILD_DIR "/coppice-media", 0);
  const ScratchFolder scratch(std::filesystem::temp_directory_path(), "sql");
  std::filesystem::permissions(scratch.path(), std::filesystem::perms(0755));
  RunOptions options;
  options.program = environment("COPPICE", COPPICE_SOURCE_DIR "/build/release/coppice");
  options.media = media_folder(scratch.path());
  std::optional<std::string> server;
  if (const std::string url = environment("COPPICE_TEST_DATABASE_URL", ""); !url.empty())
    server = url;
  const std::unique_ptr<Places> places = make_places(arguments.kind, scratch.path(), server);
  Tap tap;
  for (const TestFile& file : files) run_one(file, *places, options, tap);
  return tap.end();
}

}  // namespace
}  // namespace coppice::sql_test

int main(int argc, char** argv) {
  try {
    return coppice::sql_test::run(coppice::sql_test::parse(argc, argv));
  } catch (const coppice::Error& error) {
    std::cerr << "sql_runner: " << error.message() << " " << error.hint() << "\n";
    return coppice::exit_code(error.code());
  }
}
