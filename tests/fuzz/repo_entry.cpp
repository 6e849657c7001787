#include "repo_entry.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "base/base64.h"
#include "base/error.h"
#include "base/files.h"
#include "objects/folder_store.h"
#include "objects/memory_store.h"
#include "repo/access.h"
#include "repo/compression.h"
#include "repo/index_repair.h"
#include "repo/marks.h"
#include "repo/reach.h"
#include "repo/repository.h"

namespace coppice::repo {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxInputBytes = 256 << 10;

class StillClock final : public Clock {
 public:
  std::int64_t now_us() const override { return 0; }
  void sleep(std::chrono::milliseconds) const override {}
};

// Runs `read` on bytes of a store: it may refuse, but only as these errors do.
template <class Function>
void may_refuse(const Function& read) {
  try {
    read();
  } catch (const Error& error) {
    COPPICE_ASSERT(!error.message().empty());
    COPPICE_ASSERT(error.code() == ErrorCode::kIntegrity || error.code() == ErrorCode::kRefused ||
                   error.code() == ErrorCode::kNewerFormat);
  }
}

// The golden repository that a key file opens.
struct Golden {
  FolderStore store{std::filesystem::path(COPPICE_GOLDEN) / "repository-1/key-file"};
  Secret secret{Secret::Kind::kKeyFile,
                read_file(std::filesystem::path(COPPICE_GOLDEN) / "repository-1/key")};
  Listing listing = list_repository(store);
  Keys keys = open_access(store, secret);
};

const Golden& golden() {
  static const Golden once;
  return once;
}

void as_pack(const Keys& keys, std::string_view input) {
  may_refuse([&] {
    const std::vector<PackEntry> entries = read_directory(keys, input);
    SealedReader reader(keys, parse_header(input, ObjectKind::kPack));
    std::uint32_t number = 0;
    for (const PackEntry& entry : entries) {
      COPPICE_ASSERT(std::uint64_t{entry.offset} + entry.frame_length <= input.size());
      may_refuse([&] {
        const std::string bytes =
            read_blob(keys, reader, entry, number, input.substr(entry.offset, entry.frame_length));
        COPPICE_ASSERT(keys.blob_id(bytes) == entry.id && bytes.size() <= kMaxInputBytes * 64);
      });
      ++number;
    }
  });
  // In pieces, it is the same.
  const StillClock clock;
  MemoryStore store(clock);
  const ObjectId id{sha256(input)};
  store.put(pack_name(id), input);
  may_refuse([&] {
    const auto [pack, entries] = read_pack_directory(store, keys, id, input.size());
    COPPICE_ASSERT(entries.size() == read_directory(keys, input).size());
  });
}

void as_index(const Keys& keys, std::string_view input) {
  may_refuse([&] {
    IndexPart part = IndexPart::decode(keys, input);
    for (const IndexEntry& entry : part.entries()) {
      COPPICE_ASSERT(entry.pack < part.packs().size());
      const auto [first, count] = part.find(entry.id);
      COPPICE_ASSERT(count > 0 && part.entries()[first].id == entry.id);
    }
    const Keys plain;
    const IndexPart again = IndexPart::decode(plain, part.encode(plain));
    COPPICE_ASSERT(again.entry_count() == part.entry_count() &&
                   again.packs().size() == part.packs().size());
  });
}

void as_json(std::string_view input) {
  may_refuse([&] {
    const TreeLinks links = read_tree("it", input);
    COPPICE_ASSERT(64 * (links.blobs.size() + links.trees.size()) <= input.size());
  });
  may_refuse([&] { read_roots("it", input); });
}

// Objects of one frame, in a repository that is not encrypted; and what says that it is one.
void as_object(std::string_view input) {
  const StillClock clock;
  MemoryStore store(clock);
  Repository repository = Repository::create(store, std::nullopt, clock);
  may_refuse([&] {
    const ObjectId id = repository.put_sealed(kMarkFolder, ObjectKind::kMark, input);
    COPPICE_ASSERT(repository.get_sealed(kMarkFolder, ObjectKind::kMark, id) == input);
    read_marks(repository);
  });
  for (const std::string_view folder : {kMarkFolder, kBackupFolder, kIndexFolder}) {
    store.put(object_name(folder, {sha256(input)}), input);
  }
  may_refuse([&] { read_marks(repository); });
  may_refuse([&] { repository.read_manifest({sha256(input)}); });
  COPPICE_ASSERT(repository.load_index(Repository::AsOf::kNow).size() <= 1);
  store.overwrite("coppice-repository", std::string(input));
  may_refuse([&] { Repository::open(store, std::nullopt); });
  may_refuse([&] { Repository::open(store, golden().secret); });
}

// The document with the MAC that whoever holds a key could give it.
std::string with_mac(json document) {
  document.erase("mac");
  const Digest mac = hmac_sha256(golden().keys.id_key(), document.dump());
  document["mac"] = to_base64({reinterpret_cast<const char*>(mac.data()), mac.size()});
  return document.dump();
}

bool is_shallow(const json& document) {
  return std::all_of(document.begin(), document.end(), [](const json& member) {
    return !member.is_structured() ||
           std::all_of(member.begin(), member.end(), [](const json& inner) {
             return !inner.is_structured() ||
                    std::none_of(inner.begin(), inner.end(),
                                 [](const json& each) { return each.is_structured(); });
           });
  });
}

void as_document(const std::string& folder, const std::string& id, const std::string& text) {
  const std::string name = folder + "/" + id;
  Listing listing = golden().listing;
  if (folder == kKeyFolder) listing.keys = {name};
  if (folder == kEpochFolder) listing.epochs.push_back(name);
  may_refuse([&] {
    const Keys keys = open_access(
        listing,
        [&](const std::string& read) {
          return read == name ? text : const_cast<FolderStore&>(golden().store).get(read);
        },
        golden().secret, "a test");
    // Who has no key gets none for what is written here.
    COPPICE_ASSERT(keys.blob_id("x") == golden().keys.blob_id("x"));
  });
}

void as_documents(std::string_view input) {
  const json document = json::parse(input, nullptr, false);
  std::string id = "00112233445566778899aabbccddeeff";
  if (document.is_object() && document.contains("id") && document["id"].is_string()) {
    id = document["id"].get<std::string>();
  }
  for (const std::string_view folder : {kKeyFolder, kEpochFolder}) {
    as_document(std::string(folder), id, std::string(input));
    if (document.is_object() && is_shallow(document)) {
      as_document(std::string(folder), id, with_mac(document));
    }
  }
}

}  // namespace

void fuzz_repository(std::string_view input) {
  if (input.size() > kMaxInputBytes) return;
  const Keys plain;
  for (const Keys* const keys : {&plain, &golden().keys}) {
    as_pack(*keys, input);
    as_index(*keys, input);
  }
  as_json(input);
  as_object(input);
  as_documents(input);
  may_refuse([&] { decompressed(input, input.size()); });
  if (const auto id = listed_id(input)) {
    COPPICE_ASSERT(input == pack_name(*id) || input.ends_with(id->hex()));
  }
}

}  // namespace coppice::repo
