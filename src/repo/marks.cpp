#include "repo/marks.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace coppice::repo {
namespace {

using nlohmann::json;

constexpr int kProbes = 3;

// False when it was carried out in between.
bool read_packs(const Repository& repository, Mark& mark) {
  const std::string name = object_name(kMarkFolder, mark.id);
  try {
    const json content =
        json::parse(repository.get_sealed(kMarkFolder, ObjectKind::kMark, mark.id));
    for (const json& pack : content.at("packs")) {
      mark.packs.insert({digest_from_hex(pack.get<std::string>())});
    }
    return true;
  } catch (const json::exception&) {
    throw Error(ErrorCode::kIntegrity, name + " is no mark");
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kNotFound) return false;
    throw;
  }
}

}  // namespace

ObjectId write_mark(Repository& repository, const std::set<ObjectId>& packs) {
  json names = json::array();
  for (const ObjectId& id : packs) names.push_back(id.hex());
  return repository.put_sealed(kMarkFolder, ObjectKind::kMark, json{{"packs", names}}.dump());
}

std::vector<Mark> read_marks(const Repository& repository) {
  std::vector<Mark> marks;
  repository.store().list(std::string(kMarkFolder) + "/", [&](const ObjectInfo& info) {
    const std::optional<ObjectId> id = listed_id(info.name);
    if (id) marks.push_back({*id, info.modified_us, {}});
  });
  std::erase_if(marks, [&](Mark& mark) { return !read_packs(repository, mark); });
  return marks;
}

std::optional<std::vector<Mark>> read_marks(const Repository& repository,
                                            const std::vector<ListedObject>& listed) {
  std::vector<Mark> marks;
  for (const ListedObject& object : listed) {
    marks.push_back({object.id, object.modified_us, {}});
    if (!read_packs(repository, marks.back())) return std::nullopt;
  }
  return marks;
}

std::set<ObjectId> marked_packs(const std::vector<Mark>& marks) {
  std::set<ObjectId> packs;
  for (const Mark& mark : marks) packs.insert(mark.packs.begin(), mark.packs.end());
  return packs;
}

std::int64_t store_time_us(ObjectStore& store) {
  // Who sleeps for a day in between finds that a collection has swept its probe away.
  for (int attempt = 1; attempt <= kProbes; ++attempt) {
    const std::string name = fmt::format("{}/{}", kProbeFolder, to_hex(random_bytes(16)));
    store.put(name, "");
    const std::optional<ObjectInfo> probe = store.stat(name);
    store.remove(name);
    if (probe) return probe->modified_us;
  }
  throw Error(ErrorCode::kUnavailable,
              fmt::format("{} does not keep what is written to it", store.place()));
}

}  // namespace coppice::repo
