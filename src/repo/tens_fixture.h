// Small backups for tests of copying and repairing: each of some tens of blobs, a tree for each
// ten, and one above them.
#pragma once

#include <string>
#include <vector>

#include "repo/repo_fixture.h"

namespace coppice::repo {

std::string blob_of_ten(int number);
// Of 0: 0 to 9. Sorted as text.
std::vector<std::string> blobs_of_tens(const std::vector<int>& tens);

// A repository, and what is done with it.
struct TensRepository {
  FakeClock& clock;
  Secret key = kKeyFile;
  MemoryStore store{clock};

  void make() { Repository::create(store, key, clock); }
  Repository open();
  ObjectId back_up(const std::vector<int>& tens);
  std::vector<std::string> names(const std::string& folder);
  void flip_a_bit(const std::string& name);
  // The blobs of a backup that are no trees, sorted.
  std::vector<std::string> blobs(const ObjectId& backup);
};

}  // namespace coppice::repo
