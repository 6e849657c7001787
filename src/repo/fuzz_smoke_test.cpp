// A bounded, repeatable run of the fuzzer's own entry: mutations of the golden repositories from a
// fixed seed.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "../../tests/fuzz/repo_entry.h"
#include "base/files.h"

namespace coppice::repo {
namespace {

std::vector<std::string> corpus() {
  std::vector<std::string> objects;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(COPPICE_GOLDEN)) {
    if (entry.is_regular_file()) objects.push_back(read_file(entry.path()));
  }
  std::sort(objects.begin(), objects.end());
  return objects;
}

class Mutator {
 public:
  explicit Mutator(std::vector<std::string> seeds) : seeds_(std::move(seeds)) {}

  std::string next() {
    std::string bytes = pick();
    for (std::size_t i = 1 + below(3); i-- > 0;) mutate(bytes);
    return bytes;
  }

 private:
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }
  const std::string& pick() { return seeds_[below(seeds_.size())]; }

  void mutate(std::string& bytes) {
    // Headers and ends say how the rest is read.
    const std::size_t span = below(2) == 0 ? bytes.size() : std::min<std::size_t>(bytes.size(), 80);
    const std::size_t at = below(2) == 0 ? below(span) : bytes.size() - below(span);
    const std::string& other = pick();
    switch (below(6)) {
      case 0:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
        break;
      case 1:
        if (at < bytes.size()) bytes[at] = static_cast<char>(random_());
        break;
      case 2:
        bytes.erase(std::min(at, bytes.size()), below(40));
        break;
      case 3:
        bytes.insert(std::min(at, bytes.size()), other.substr(below(other.size()), below(60)));
        break;
      case 4:
        bytes.replace(std::min(at, bytes.size()), 4, std::string(4, below(2) == 0 ? '\0' : '\xff'));
        break;
      default:
        bytes.resize(at);
    }
  }

  std::vector<std::string> seeds_;
  std::mt19937_64 random_{20'261'123};
};

TEST(RepositoryFuzz, HoldsForItsCorpus) {
  const auto seeds = corpus();
  ASSERT_GE(seeds.size(), 40u);
  for (const std::string& seed : seeds) fuzz_repository(seed);
}

TEST(RepositoryFuzz, HoldsForMutations) {
  Mutator mutator(corpus());
  for (int i = 0; i < 2'000; ++i) fuzz_repository(mutator.next());
}

// Whoever can write to the store cannot exhaust the stack of who opens it.
TEST(RepositoryFuzz, HoldsForDeepDocuments) {
  for (const std::string& seed : corpus()) {
    if (!seed.starts_with("{")) continue;
    for (const std::size_t depth : {20, 60'000}) {
      const std::string deep = std::string(depth, '[') + std::string(depth, ']');
      fuzz_repository("{\"a\": " + deep + "," + seed.substr(1));
    }
  }
}

}  // namespace
}  // namespace coppice::repo
