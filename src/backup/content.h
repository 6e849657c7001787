// Content: the bytes of a file or stream in a backup, as a list of blobs.
//
// Model    A ContentWriter cuts a stream by its content and puts the chunks into a repository. A
//          short list of blobs stands in the tree that names the content; a long one in parts,
//          which are cut by content, too: a stream into which bytes were put has most of its parts
//          unchanged.
// Units    Bytes. Memory: a few MiB a writer or reader.
// Threads  One thread each; blobs are packed and read by threads of their own.
// Errors   Those of the repository; kIntegrity for bytes that are not those of the digest.
// Source   docs/formats/files.md, "Content"
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <string>
#include <string_view>
#include <vector>

#include "backup/chunker.h"
#include "backup/tree.h"
#include "base/sha256.h"

namespace coppice {

struct Content {
  std::uint64_t size_bytes = 0;
  Digest sha256{};
  std::vector<repo::BlobId> blobs;  // or
  std::vector<repo::BlobId> parts;  // trees of them
};

class ContentWriter {
 public:
  // Both are borrowed.
  ContentWriter(repo::BlobWriter& writer, const GearTable& gear,
                const ChunkSizes& sizes = kChunkSizes)
      : writer_(writer), chunker_(gear, sizes) {}
  // Waits for what is being packed.
  ~ContentWriter();
  ContentWriter(const ContentWriter&) = delete;
  ContentWriter& operator=(const ContentWriter&) = delete;

  void add(std::string_view bytes);
  // The writer is not used again.
  Content finish();

 private:
  // Chunks that one thread packs: a thread for each would cost more than its work.
  struct Group {
    std::string bytes;
    std::vector<std::size_t> lengths;
  };
  using Blobs = std::vector<repo::BlobId>;

  void add_chunk(std::string_view chunk);
  void send();
  Blobs pack(const Group& group);
  void take_first();

  repo::BlobWriter& writer_;
  Chunker chunker_;
  Sha256 digest_;
  Group group_;
  std::deque<std::future<Blobs>> packing_;
  Content content_;
};

// "size", "sha256" and "blobs" or "parts" for a member of a tree, and back.
void add_content(const Content& content, TreeBuilder& tree, nlohmann::json& member);
Content content_in(const Tree& tree, const nlohmann::json& member);

// Its blobs, in their order.
std::vector<repo::BlobId> blobs_of(const repo::Repository& repository, const Content& content);
// Calls with its bytes, in their order, reading ahead. Throws when they are not those of its
// digest: what was visited is to be thrown away then.
void read_content(const repo::Repository& repository, const Content& content,
                  const std::function<void(std::string_view)>& visit);

}  // namespace coppice
