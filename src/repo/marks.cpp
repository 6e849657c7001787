#include "repo/marks.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace coppice::repo {
namespace {

using nlohmann::json;

}  // namespace

ObjectId write_mark(Repository& repository, const std::set<ObjectId>& packs) {
  json names = json::array();
  for (const ObjectId& id : packs) names.push_back(id.hex());
  return repository.put_sealed("marks", ObjectKind::kMark, json{{"packs", names}}.dump());
}

std::vector<Mark> read_marks(const Repository& repository) {
  std::vector<Mark> marks;
  repository.store().list("marks/", [&](const ObjectInfo& info) {
    marks.push_back({object_id(info.name), info.modified_us, {}});
  });
  std::vector<Mark> read;
  for (Mark& mark : marks) {
    try {
      const json content = json::parse(repository.get_sealed("marks", ObjectKind::kMark, mark.id));
      for (const json& name : content.at("packs")) {
        mark.packs.insert({digest_from_hex(name.get<std::string>())});
      }
      read.push_back(std::move(mark));
    } catch (const json::exception&) {
      throw Error(ErrorCode::kIntegrity,
                  fmt::format("{} is no mark", object_name("marks", mark.id)));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kNotFound) throw;  // it was carried out in between
    }
  }
  return read;
}

std::set<ObjectId> marked_packs(const std::vector<Mark>& marks) {
  std::set<ObjectId> packs;
  for (const Mark& mark : marks) packs.insert(mark.packs.begin(), mark.packs.end());
  return packs;
}

std::int64_t store_time_us(ObjectStore& store) {
  const std::string name = "probes/" + to_hex(random_bytes(16));
  store.put(name, "");
  const std::optional<ObjectInfo> probe = store.stat(name);
  store.remove(name);
  if (probe) return probe->modified_us;
  throw Error(ErrorCode::kUnavailable,
              fmt::format("{} does not keep what is written to it", store.place()));
}

}  // namespace coppice::repo
