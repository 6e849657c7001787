// Files of a home in a backup: media objects, and the code of functions.
//
// Model    A file is cut into blobs of kFileBlobBytes. Objects that the backup before has are not
//          read.
// Threads  One thread; small files are read by threads of their own.
// Errors   kIntegrity for a media object whose bytes are not those of its name.
#pragma once

#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "backup/media_map.h"
#include "engine/result_sink.h"
#include "media/store.h"

namespace coppice::recovery {

// Small enough to stay in a processor's cache while it is hashed, encrypted and hashed again.
inline constexpr std::size_t kFileBlobBytes = 1 << 20;

// Media are read and written in steps of so much, and the threads wait for each other after each.
inline constexpr std::uint64_t kMediaStepBytes = std::uint64_t{1} << 30;
inline constexpr std::size_t kMediaStepObjects = 8192;

// Puts the objects of these names into the map, unless it has them. Gives those that could not be
// read, and why: "ab12….jpg: …".
std::vector<std::string> add_media(const MediaStore& store, const std::set<std::string>& names,
                                   repo::BlobWriter& writer, MediaMap& map, ResultSink& sink,
                                   const std::function<void()>& on_step);

// "code" of the home's tree: what is below `folder`, if there is one.
void add_code(const std::filesystem::path& folder, repo::BlobWriter& writer, TreeBuilder& home);

// Makes everything durable that was written to the file system of a folder.
void sync_file_system(const std::filesystem::path& folder);

// Gives the bytes of blobs one after another.
void read_blobs(const repo::Repository& repository, const std::vector<repo::BlobId>& blobs,
                const std::function<void(std::string_view)>& visit);

}  // namespace coppice::recovery
