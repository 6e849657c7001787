// chunker_bench: how fast streams are cut, and what sizes of chunks cost on given files.
//
//   chunker_bench speed BYTES          one JSON object: {"bytes", "seconds", "chunks"}
//   chunker_bench sizes LEAST AVERAGE MOST FILE…    one JSON object a file: {"file", "bytes",
//                                      "chunks", "new_chunks", "stored"}: what a repository stores
//                                      of it when it has the files before; 90 bytes a new chunk are
//                                      its name in an index and a tree, and its tag
//
// Errors   A message and exit code 1.
#include <fmt/core.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string_view>
#include <unordered_set>

#include "backup/chunker.h"
#include "base/error.h"
#include "base/files.h"
#include "base/sha256.h"
#include "repo/compression.h"

namespace coppice {
namespace {

constexpr std::size_t kReadBytes = 1 << 20;
constexpr std::uint64_t kNamedIn = 90;

void speed(std::uint64_t bytes) {
  std::mt19937_64 random(7);
  std::string text;
  while (text.size() < 32 * kReadBytes) {
    text += fmt::format("{}\t{}\trow {}\n", random(), random() % 1000, text.size());
  }
  const GearTable gear = gear_table(repo::Keys());
  Chunker chunker(gear);
  std::uint64_t chunks = 0, done = 0;
  const auto count = [&](std::string_view) { ++chunks; };
  const auto begun = std::chrono::steady_clock::now();
  for (std::size_t at = 0; done < bytes; at = (at + kReadBytes) % (32 * kReadBytes)) {
    chunker.add(std::string_view(text).substr(at, kReadBytes), count);
    done += kReadBytes;
  }
  chunker.finish(count);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begun;
  fmt::print("{{\"bytes\": {}, \"seconds\": {:.6f}, \"chunks\": {}}}\n", done, seconds.count(),
             chunks);
}

void sizes(const ChunkSizes& sizes, int count, char** files) {
  std::unordered_set<std::string> there;
  const GearTable gear = gear_table(repo::Keys());
  for (int i = 0; i < count; ++i) {
    Chunker chunker(gear, sizes);
    std::uint64_t bytes = 0, chunks = 0, fresh = 0, stored = 0;
    const auto visit = [&](std::string_view chunk) {
      ++chunks;
      bytes += chunk.size();
      if (!there.insert(to_hex(sha256(chunk))).second) return;
      ++fresh;
      const auto small = repo::compressed(chunk);
      stored += kNamedIn + (small ? small->size() : chunk.size());
    };
    FileReader reader(files[i]);
    std::string buffer(kReadBytes, '\0');
    while (const std::size_t read = reader.read(buffer.data(), buffer.size())) {
      chunker.add(std::string_view(buffer).substr(0, read), visit);
    }
    chunker.finish(visit);
    fmt::print(
        "{{\"file\": \"{}\", \"bytes\": {}, \"chunks\": {}, \"new_chunks\": {}, \"stored\": {}}}\n",
        files[i], bytes, chunks, fresh, stored);
  }
}

std::uint64_t number(const char* text) { return std::strtoull(text, nullptr, 10); }

int run(int argc, char** argv) {
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (verb == "speed" && argc == 3) {
    speed(number(argv[2]));
  } else if (verb == "sizes" && argc > 5) {
    sizes({number(argv[2]), number(argv[3]), number(argv[4])}, argc - 5, argv + 5);
  } else {
    fmt::print(stderr, "usage: chunker_bench speed BYTES | sizes LEAST AVERAGE MOST FILE…\n");
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace coppice

int main(int argc, char** argv) {
  try {
    return coppice::run(argc, argv);
  } catch (const coppice::Error& error) {
    fmt::print(stderr, "chunker_bench: {}\n", error.message());
    return 1;
  }
}
