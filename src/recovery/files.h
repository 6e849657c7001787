// Files of a home in a backup: media objects, and the code of functions.
//
// Model    A file is cut into blobs of kFileBlobBytes.
// Threads  Any, each with files of its own.
// Errors   UnreadableFile, and those of the repository.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/tree.h"
#include "base/error.h"

namespace coppice::recovery {

// Small enough to stay in a processor's cache while it is hashed, encrypted and hashed again.
inline constexpr std::size_t kFileBlobBytes = 1 << 20;

struct FileBlobs {
  std::vector<repo::BlobId> blobs;
  std::uint64_t size_bytes = 0;
  std::string sha256_hex;
};
// Of the file, and not of the repository.
class UnreadableFile : public Error {
 public:
  explicit UnreadableFile(const Error& error)
      : Error(error.code(), error.message(), error.hint()) {}
};
FileBlobs add_file(const std::filesystem::path& file, repo::BlobWriter& writer);

// "code" of the home's tree: what is below `folder`, if there is one.
void add_code(const std::filesystem::path& folder, repo::BlobWriter& writer, TreeBuilder& home);

// Makes everything durable that was written to the file system of a folder.
void sync_file_system(const std::filesystem::path& folder);

// Gives the bytes of blobs one after another.
void read_blobs(const repo::Repository& repository, const std::vector<repo::BlobId>& blobs,
                const std::function<void(std::string_view)>& visit);

}  // namespace coppice::recovery
