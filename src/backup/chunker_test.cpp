#include "backup/chunker.h"

#include <gtest/gtest.h>

#include <bit>
#include <random>
#include <set>
#include <vector>

#include "repo/cipher.h"

namespace coppice {
namespace {

constexpr ChunkSizes kSmall{64, 256, 1024};

std::string random_text(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string text;
  while (text.size() < size) text += static_cast<char>(random());
  return text;
}

const GearTable& table() {
  static const GearTable gear = gear_table(repo::Keys());
  return gear;
}

std::vector<std::string> chunks_of(std::string_view text, std::size_t step,
                                   const ChunkSizes& sizes = kSmall) {
  std::vector<std::string> chunks;
  Chunker chunker(table(), sizes);
  const auto keep = [&](std::string_view chunk) { chunks.emplace_back(chunk); };
  for (std::size_t at = 0; at < text.size(); at += step) chunker.add(text.substr(at, step), keep);
  chunker.finish(keep);
  return chunks;
}

// As the page of the format says it, a byte at a time and with the whole window summed anew.
std::vector<std::string> chunks_by_the_page(std::string_view text, const ChunkSizes& sizes) {
  const int bits = std::countr_zero(sizes.average);
  std::vector<std::string> chunks;
  while (!text.empty()) {
    std::size_t end = std::min(text.size(), sizes.most);
    for (std::size_t at = sizes.least + 1; at <= end; ++at) {
      std::uint64_t hash = 0;
      const std::size_t first = std::max(at > 64 ? at - 64 : 0, sizes.least - 64);
      for (std::size_t i = first; i < at; ++i) {
        hash += table()[static_cast<unsigned char>(text[i])] << (at - 1 - i);
      }
      const int zeros = at <= sizes.average ? bits + 2 : bits - 2;
      if (hash >> (64 - zeros) == 0) end = at;
    }
    chunks.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return chunks;
}

std::string joined(const std::vector<std::string>& chunks) {
  std::string text;
  for (const std::string& chunk : chunks) text += chunk;
  return text;
}

TEST(Chunker, CutsAtTheSamePlacesHoweverItIsGivenTheStream) {
  const std::string text = random_text(200'000, 1);
  const auto all = chunks_of(text, text.size());
  EXPECT_EQ(joined(all), text);
  EXPECT_GT(all.size(), 200U);
  for (const std::size_t step : {1, 3, 63, 64, 65, 1000, 1024, 4096, 65537}) {
    EXPECT_EQ(chunks_of(text, step), all) << step;
  }
}

TEST(Chunker, CutsAsThePageOfTheFormatSays) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::string text = random_text(seed * 997, seed);
    EXPECT_EQ(chunks_of(text, 512), chunks_by_the_page(text, kSmall)) << seed;
  }
}

TEST(Chunker, KeepsItsSizes) {
  const std::string text = random_text(3'000'000, 2);
  const auto chunks = chunks_of(text, 100'000);
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    EXPECT_LE(chunks[i].size(), kSmall.most);
    if (i + 1 < chunks.size()) {
      EXPECT_GT(chunks[i].size(), kSmall.least);
    }
  }
  const std::size_t average = text.size() / chunks.size();
  EXPECT_GT(average, kSmall.average / 2);
  EXPECT_LT(average, kSmall.average * 2);
  // Nothing in it to cut by.
  const auto zeros = chunks_of(std::string(10 * kSmall.most, '\0'), 999);
  EXPECT_EQ(zeros.size(), 10U);
}

TEST(Chunker, OneChangeChangesFewChunks) {
  const std::string text = random_text(500'000, 3);
  const auto before = chunks_of(text, 4096);
  const std::set<std::string> known(before.begin(), before.end());
  const auto fresh = [&](const std::string& changed) {
    std::size_t count = 0;
    for (const std::string& chunk : chunks_of(changed, 4096))
      count += known.contains(chunk) ? 0 : 1;
    return count;
  };
  EXPECT_LE(fresh("put in front" + text), 4U);
  EXPECT_LE(fresh(text + "put behind"), 2U);
  EXPECT_LE(fresh(text.substr(0, 250'000) + "!" + text.substr(250'000)), 4U);
  EXPECT_LE(fresh(text.substr(0, 250'000) + text.substr(250'777)), 4U);
  EXPECT_EQ(fresh(text), 0U);
}

TEST(Chunker, GivesNothingForNothing) {
  EXPECT_TRUE(chunks_of("", 1).empty());
  EXPECT_EQ(chunks_of("a", 1), std::vector<std::string>{"a"});
  Chunker chunker(table(), kSmall);
  chunker.add("", [](std::string_view) { FAIL(); });
  chunker.finish([](std::string_view) { FAIL(); });
}

TEST(Chunker, BeginsAnewBehindTheEnd) {
  const std::string text = random_text(5'000, 4);
  Chunker chunker(table(), kSmall);
  std::vector<std::string> first, second;
  for (auto* chunks : {&first, &second}) {
    const auto keep = [&](std::string_view chunk) { chunks->emplace_back(chunk); };
    chunker.add(text, keep);
    chunker.finish(keep);
  }
  EXPECT_EQ(first, second);
}

TEST(GearTable, IsTheRepositorysOwn) {
  const repo::Keys one(repo::Key(std::string(32, 'a'))), other(repo::Key(std::string(32, 'b')));
  EXPECT_EQ(gear_table(one), gear_table(repo::Keys(repo::Key(std::string(32, 'a')))));
  EXPECT_NE(gear_table(one), gear_table(other));
  EXPECT_NE(gear_table(one), gear_table(repo::Keys()));
  const GearTable gear = gear_table(one);
  EXPECT_EQ(std::set<std::uint64_t>(gear.begin(), gear.end()).size(), gear.size());
}

}  // namespace
}  // namespace coppice
