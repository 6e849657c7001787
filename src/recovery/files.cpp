#include "recovery/files.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/sha256.h"

namespace coppice::recovery {
namespace {

namespace fs = std::filesystem;
using repo::BlobId;

constexpr std::size_t kReadBytes = 256 << 10;

template <typename Call>
auto of_the_file(const Call& call) {
  try {
    return call();
  } catch (const Error& error) {
    throw UnreadableFile(error);
  }
}

}  // namespace

FileBlobs add_file(const fs::path& file, repo::BlobWriter& writer) {
  FileBlobs result;
  FileReader reader = of_the_file([&] { return FileReader(file); });
  Sha256 digest;
  // Filled again and again: to clear a string and to let it grow sets every byte.
  const auto buffer = std::make_unique_for_overwrite<char[]>(kFileBlobBytes);
  std::size_t filled = 0;
  const auto end_blob = [&] {
    const std::string_view blob(buffer.get(), std::exchange(filled, 0));
    digest.update(blob);
    result.size_bytes += blob.size();
    result.blobs.push_back(writer.add_file(blob));
  };
  for (;;) {
    const std::size_t most = std::min(kReadBytes, kFileBlobBytes - filled);
    const std::size_t count = of_the_file([&] { return reader.read(buffer.get() + filled, most); });
    if (count == 0) break;
    filled += count;
    if (filled == kFileBlobBytes) end_blob();
  }
  if (filled > 0) end_blob();
  result.sha256_hex = to_hex(digest.finish());
  return result;
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
