// A bounded, repeatable run of the fuzzer's own entry: mutations of its corpus from a fixed seed.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "../../tests/fuzz/sql_entry.h"
#include "sql/split.h"

namespace coppice::sql {
namespace {

std::vector<std::string> corpus() {
  std::vector<std::string> statements;
  for (const auto& file : std::filesystem::directory_iterator(COPPICE_SQL_CORPUS)) {
    std::ostringstream text;
    text << std::ifstream(file.path()).rdbuf();
    const std::string script = text.str();
    for (const StatementText& statement : split(script)) statements.emplace_back(statement.text);
  }
  std::sort(statements.begin(), statements.end());
  return statements;
}

class Mutator {
 public:
  explicit Mutator(std::vector<std::string> seeds) : seeds_(std::move(seeds)) {}

  std::string next() {
    std::string text = pick();
    for (std::size_t i = below(4); i-- > 0;) mutate(text);
    return text;
  }

 private:
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }
  const std::string& pick() { return seeds_[below(seeds_.size())]; }

  void mutate(std::string& text) {
    constexpr std::string_view kCharacters = "()[]'\"$;:,.*+-/<>=@|%^~!#&?\\ \n\tabE1\xC3\xA9";
    const std::size_t at = below(text.size() + 1);
    const std::string& other = pick();
    const std::size_t from = below(other.size());
    switch (below(5)) {
      case 0:
        text.insert(at, 1, kCharacters[below(kCharacters.size())]);
        break;
      case 1:
        if (at < text.size()) text[at] = kCharacters[below(kCharacters.size())];
        break;
      case 2:
        text.erase(at, below(12));
        break;
      case 3:
        text.insert(at, other.substr(from, below(40)));
        break;
      default:
        text.insert(at, text.substr(below(text.size() + 1), below(40)));
    }
  }

  std::vector<std::string> seeds_;
  std::mt19937_64 random_{20'261'122};
};

TEST(SqlFuzz, HoldsForItsCorpus) {
  const auto seeds = corpus();
  ASSERT_GT(seeds.size(), 250u);
  for (const std::string& seed : seeds) fuzz_sql(seed);
}

TEST(SqlFuzz, HoldsForMutations) {
  Mutator mutator(corpus());
  for (int i = 0; i < 4'000; ++i) fuzz_sql(mutator.next());
}

}  // namespace
}  // namespace coppice::sql
