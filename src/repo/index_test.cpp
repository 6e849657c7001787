#include "repo/index.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "base/sha256.h"

namespace coppice::repo {
namespace {

BlobId blob_id(int number) { return {sha256("blob " + std::to_string(number))}; }
ObjectId pack_id(int number) { return {sha256("pack " + std::to_string(number))}; }

IndexPart part_of(int pack, const std::vector<int>& blobs) {
  Pack made;
  made.id = pack_id(pack);
  made.header = {ObjectKind::kPack, std::string(kEpochBytes, 'e'), std::string(kSaltBytes, 's')};
  for (const int blob : blobs) {
    made.entries.push_back({blob_id(blob), static_cast<std::uint32_t>(blob), 1, 1, 0});
  }
  IndexPart part;
  part.add(made);
  part.sort();
  part.object = {sha256("index " + std::to_string(pack))};
  return part;
}

// As a map says it: every place of every blob, however many parts there are and when they came.
TEST(Index, FindsEveryPlaceInManyParts) {
  std::mt19937 random(3);
  Index index;
  std::map<int, std::set<ObjectId>> places;
  for (int pack = 0; pack < 400; ++pack) {
    std::vector<int> blobs;
    const int count = pack == 100 ? 70'000 : 20;  // a large one among small ones
    for (int i = 0; i < count; ++i) {
      blobs.push_back(pack == 100 ? i + 10'000 : static_cast<int>(random() % 3'000));
    }
    for (const int blob : blobs) places[blob].insert(pack_id(pack));
    index.add(part_of(pack, blobs));
    if (pack % 150 == 0) index.merge();
    if (pack % 57 != 0 && pack != 399) continue;
    for (int blob = 0; blob < 3'500; ++blob) {
      std::set<ObjectId> found;
      index.visit(blob_id(blob), [&](const BlobPlace& place) {
        EXPECT_EQ(place.entry->id, blob_id(blob));
        EXPECT_EQ(place.entry, &index.parts()[place.part].entries()[place.entry_index]);
        found.insert(place.pack->id);
        return true;
      });
      const auto wanted = places.find(blob);
      EXPECT_EQ(found, wanted == places.end() ? std::set<ObjectId>() : wanted->second);
      EXPECT_EQ(index.find(blob_id(blob)).has_value(), !found.empty());
    }
  }
  EXPECT_TRUE(index.find(blob_id(60'000)).has_value());
  EXPECT_FALSE(index.find(blob_id(90'000)).has_value());
}

TEST(Index, FindsAPlaceThatMayBeUsed) {
  Index index;
  for (int pack = 0; pack < 50; ++pack) index.add(part_of(pack, {1, 2}));
  const auto only = [](int pack) {
    return [pack](const ObjectId& id) { return id == pack_id(pack); };
  };
  for (int pack = 0; pack < 50; ++pack) {
    ASSERT_TRUE(index.find(blob_id(1), only(pack)).has_value());
    EXPECT_EQ(index.find(blob_id(1), only(pack))->pack->id, pack_id(pack));
  }
  EXPECT_FALSE(index.find(blob_id(1), only(50)).has_value());
}

TEST(Index, TakesPartsOfAnother) {
  Index old, index;
  std::set<ObjectId> some;
  for (int pack = 0; pack < 100; ++pack) {
    old.add(part_of(pack, {pack}));
    if (pack % 3 == 0) some.insert(old.parts().back().object);
  }
  old.merge();
  index.add(part_of(500, {500}));
  index.take(std::move(old), some);
  index.merge();
  for (int blob = 0; blob < 100; ++blob) {
    EXPECT_EQ(index.find(blob_id(blob)).has_value(), blob % 3 == 0) << blob;
  }
  EXPECT_TRUE(index.find(blob_id(500)).has_value());
  EXPECT_EQ(index.entry_count(), some.size() + 1);
}

}  // namespace
}  // namespace coppice::repo
