#include "recovery/files.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/sha256.h"
#include "repo/parallel.h"

namespace coppice::recovery {
namespace {

namespace fs = std::filesystem;
using repo::BlobId;

constexpr std::size_t kReadBytes = 256 << 10;

struct FileBlobs {
  std::vector<BlobId> blobs;
  std::uint64_t size_bytes = 0;
  std::string sha256_hex;
};

// Of the file, and not of the repository.
class Unreadable : public Error {
 public:
  explicit Unreadable(const Error& error) : Error(error.code(), error.message(), error.hint()) {}
};

template <typename Call>
auto of_the_file(const Call& call) {
  try {
    return call();
  } catch (const Error& error) {
    throw Unreadable(error);
  }
}

FileBlobs add_file(const fs::path& file, repo::BlobWriter& writer) {
  FileBlobs result;
  FileReader reader = of_the_file([&] { return FileReader(file); });
  Sha256 digest;
  std::string blob;
  const auto end_blob = [&] {
    digest.update(blob);
    result.size_bytes += blob.size();
    result.blobs.push_back(writer.add(blob));
    blob.clear();
  };
  for (;;) {
    const std::size_t before = blob.size();
    blob.resize(std::min(before + kReadBytes, kFileBlobBytes));
    const std::size_t count =
        of_the_file([&] { return reader.read(blob.data() + before, blob.size() - before); });
    blob.resize(before + count);
    if (count == 0) break;
    if (blob.size() == kFileBlobBytes) end_blob();
  }
  if (!blob.empty()) end_blob();
  result.sha256_hex = to_hex(digest.finish());
  return result;
}

struct Taken {
  std::string name;
  MediaObject object;
  std::string failure;
};

Taken take(const MediaStore& store, const std::string& name, repo::BlobWriter& writer) {
  Taken taken{name, {}, {}};
  const std::optional<MediaName> object = MediaName::parse("media:" + name);
  COPPICE_ASSERT(object.has_value());  // for_each_media_name() found it
  try {
    FileBlobs file = add_file(store.path_of(*object), writer);
    if (file.sha256_hex == object->sha256_hex) {
      taken.object = {file.size_bytes, std::move(file.blobs)};
    } else {
      taken.failure = fmt::format("media:{}: its bytes are not those of its name", name);
    }
  } catch (const Unreadable& error) {
    taken.failure = fmt::format("media:{}: {}", name, error.message());
  }
  return taken;
}

// As many as a step has, the largest first: none is left alone at the end.
std::vector<Taken> next_step(const MediaStore& store, std::vector<std::string>::iterator& next,
                             const std::vector<std::string>::iterator& end) {
  std::vector<Taken> step;
  std::uint64_t bytes = 0;
  for (; next != end && step.size() < kMediaStepObjects && bytes < kMediaStepBytes; ++next) {
    std::error_code error;
    const auto object = MediaName::parse("media:" + *next);
    const std::uintmax_t size = object ? fs::file_size(store.path_of(*object), error) : 0;
    step.push_back({*next, {error ? 0 : size, {}}, {}});
    bytes += step.back().object.size_bytes;
  }
  std::stable_sort(step.begin(), step.end(), [](const Taken& one, const Taken& other) {
    return one.object.size_bytes > other.object.size_bytes;
  });
  return step;
}

}  // namespace

std::vector<std::string> add_media(const MediaStore& store, const std::set<std::string>& names,
                                   repo::BlobWriter& writer, MediaMap& map, ResultSink& sink,
                                   const std::function<void()>& on_step) {
  std::vector<std::string> wanted;
  for (const std::string& name : names) {
    if (!map.has(name)) wanted.push_back(name);
  }
  std::vector<std::string> failures;
  Progress progress{"backing up media", 0, wanted.size()};
  for (auto next = wanted.begin(); next != wanted.end();) {
    std::vector<Taken> taken = next_step(store, next, wanted.end());
    repo::for_each_parallel(
        taken.size(), {}, [](std::size_t) { return kFileBlobBytes; },
        [&](std::size_t i) { taken[i] = take(store, taken[i].name, writer); });
    for (const Taken& one : taken) {
      if (one.failure.empty()) {
        map.add(one.name, one.object);
      } else {
        failures.push_back(one.failure);
      }
    }
    progress.done += taken.size();
    sink.progress(progress);
    on_step();
  }
  return failures;
}

void add_code(const fs::path& folder, repo::BlobWriter& writer, TreeBuilder& home) {
  std::vector<fs::path> files;
  if (fs::exists(folder)) {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  nlohmann::json code = nlohmann::json::array();
  for (const fs::path& file : files) {
    if (file.string().find("__pycache__") != std::string::npos) continue;
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) throw_errno("read " + file.string());
    const FileBlobs stored = add_file(file, writer);
    code.push_back({{"path", fs::relative(file, folder).string()},
                    {"mode", status.st_mode & 0777},
                    {"size", stored.size_bytes},
                    {"blobs", home.add_blobs(stored.blobs)}});
  }
  home.members()["code"] = std::move(code);
}

void sync_file_system(const fs::path& folder) {
  const FileDescriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::syncfs(fd.get()) != 0) throw_errno("sync " + folder.string());
}

void read_blobs(const repo::Repository& repository, const std::vector<BlobId>& blobs,
                const std::function<void(std::string_view)>& visit) {
  for (const BlobId& blob : blobs) visit(repository.read(blob));
}

}  // namespace coppice::recovery
