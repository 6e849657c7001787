// Writes each statement of the given scripts into a file of its own: small seeds for libFuzzer.
//   split_corpus FOLDER SCRIPT...
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "sql/split.h"

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: split_corpus FOLDER SCRIPT...\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  for (int i = 2; i < argc; ++i) {
    const std::filesystem::path script = argv[i];
    std::ostringstream text;
    text << std::ifstream(script).rdbuf();
    const std::string content = text.str();
    std::size_t number = 0;
    for (const auto& statement : coppice::sql::split(content)) {
      const std::string name = script.stem().string() + "_" + std::to_string(++number) + ".sql";
      std::ofstream(folder / name) << statement.text;
    }
  }
}
