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

inline constexpr std::size_t kFileBlobBytes = 8 << 20;

// Puts the objects of these names into the map, unless it has them. Gives those that could not be
// read, and why: "ab12….jpg: …".
std::vector<std::string> add_media(const MediaStore& store, const std::set<std::string>& names,
                                   repo::BlobWriter& writer, MediaMap& map, ResultSink& sink,
                                   const std::function<void()>& on_step);

// "code" of the home's tree: what is below `folder`, if there is one.
void add_code(const std::filesystem::path& folder, repo::BlobWriter& writer, TreeBuilder& home);

// Gives the bytes of blobs one after another.
void read_blobs(const repo::Repository& repository, const std::vector<repo::BlobId>& blobs,
                const std::function<void(std::string_view)>& visit);

}  // namespace coppice::recovery
