// Compression of blobs, where it pays.
//
// Units    Bytes.
// Threads  Safe from any thread.
// Errors   kIntegrity when compressed bytes cannot be read.
// Source   zstd; docs/formats/repository.md, flags of a blob
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace coppice::repo {

// nullopt when it would save less than a twentieth, as of media. Of large bytes, a part is tried
// first.
std::optional<std::string> compressed(std::string_view bytes);
std::string decompressed(std::string_view bytes, std::size_t size_bytes);

}  // namespace coppice::repo
