// Writes the man page and the completion scripts into a folder, at build time: so they are always
// those of the program they are installed with.
#include <cstdio>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "cli/documents.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: write_documents FOLDER\n", stderr);
    return 2;
  }
  try {
    const std::filesystem::path folder = argv[1];
    std::filesystem::create_directories(folder);
    using coppice::cli::completion_script;
    coppice::write_file_atomically(folder / "coppice.1", coppice::cli::man_page(), 0644);
    coppice::write_file_atomically(folder / "coppice.bash", completion_script("bash"), 0644);
    coppice::write_file_atomically(folder / "_coppice", completion_script("zsh"), 0644);
    coppice::write_file_atomically(folder / "coppice.fish", completion_script("fish"), 0644);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "write_documents: %s\n", error.what());
    return 1;
  }
  return 0;
}
