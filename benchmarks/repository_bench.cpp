// repository_bench: a repository with indexes of many blobs, and how long it takes to open it.
//
//   repository_bench make FOLDER BLOBS BLOBS_IN_INDEX    encrypted; it has no packs
//   repository_bench open FOLDER      one JSON object: {"seconds", "seconds_to_find", "peak_bytes",
//                                     "requests", "indexes", "blobs", "found"}
//
// Errors   A message and exit code 1.
#include <fmt/core.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "objects/folder_store.h"
#include "objects/testing/fault_stores.h"
#include "repo/repository.h"

namespace coppice::repo {
namespace {

constexpr std::uint64_t kBlobsInPack = 400;
constexpr std::uint64_t kLookups = 100'000;
constexpr std::uint32_t kBlobBytes = 80'000;

const Secret kSecret{Secret::Kind::kKeyFile, "a key file of a benchmark, 32 bytes"};

// Names that look random and are the same in every run.
Digest digest(std::uint64_t number) {
  std::mt19937_64 random(number);
  Digest bytes;
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    const std::uint64_t word = random();
    std::memcpy(bytes.data() + at, &word, sizeof word);
  }
  return bytes;
}

// A pack as an index sees it.
Pack pack_of(const Keys& keys, std::uint64_t first, std::uint64_t count) {
  Pack pack;
  pack.id = {digest(~first)};
  pack.header = {ObjectKind::kPack, keys.newest_epoch(), random_bytes(kSaltBytes)};
  std::uint32_t offset = kHeaderBytes;
  for (std::uint64_t i = first; i < first + count; ++i) {
    pack.entries.push_back({{digest(i)}, offset, kBlobBytes + 16, kBlobBytes, 0});
    offset += kBlobBytes + 16;
  }
  return pack;
}

void make(const char* folder, std::uint64_t blobs, std::uint64_t blobs_in_index) {
  FolderStore store(folder, FolderStore::Missing::kCreate);
  const SystemClock clock;
  const Repository repository = Repository::create(store, kSecret, clock);
  for (std::uint64_t begin = 0; begin < blobs; begin += blobs_in_index) {
    const std::uint64_t end = std::min(blobs, begin + blobs_in_index);
    IndexPart part;
    for (std::uint64_t first = begin; first < end; first += kBlobsInPack) {
      part.add(pack_of(repository.keys(), first, std::min(kBlobsInPack, end - first)));
    }
    part.sort();
    const std::string bytes = part.encode(repository.keys());
    store.put(object_name(kIndexFolder, {sha256(bytes)}), bytes);
  }
}

void open(const char* folder) {
  FolderStore store(folder);
  CountingStore counting(store);
  const auto begin = std::chrono::steady_clock::now();
  Repository repository = Repository::open(counting, kSecret);
  for (const Damage& damage : repository.load_index()) {
    throw Error(ErrorCode::kIntegrity, damage.what);
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  const std::uint64_t blobs = repository.blob_count();
  std::uint64_t found = 0;
  std::vector<BlobId> ids;
  for (std::uint64_t i = 0; i < kLookups; ++i) ids.push_back({digest(i * blobs / kLookups)});
  const auto begin_to_find = std::chrono::steady_clock::now();
  for (const BlobId& id : ids) found += repository.has(id) ? 1 : 0;
  const std::chrono::duration<double> to_find = std::chrono::steady_clock::now() - begin_to_find;
  found -= repository.has({digest(blobs)}) ? 1 : 0;
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  fmt::print(
      "{{\"seconds\": {:.3f}, \"seconds_to_find\": {:.3f}, \"peak_bytes\": {}, \"requests\": {}, "
      "\"indexes\": {}, "
      "\"blobs\": {}, \"found\": {}}}\n",
      seconds.count(), to_find.count(), usage.ru_maxrss * 1024L, counting.total(),
      repository.listing().indexes.size(), blobs, found);
}

int run(int argc, char** argv) {
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (verb == "make" && argc == 5) {
    make(argv[2], std::strtoull(argv[3], nullptr, 10), std::strtoull(argv[4], nullptr, 10));
  } else if (verb == "open" && argc == 3) {
    open(argv[2]);
  } else {
    throw Error(ErrorCode::kUsage,
                "usage: repository_bench make FOLDER BLOBS BLOBS_IN_INDEX | open FOLDER");
  }
  return 0;
}

}  // namespace
}  // namespace coppice::repo

int main(int argc, char** argv) {
  try {
    return coppice::repo::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "repository_bench: %s\n", error.what());
    return 1;
  }
}
