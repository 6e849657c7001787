#include "backup/content.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/hex.h"

namespace coppice {
namespace {

using nlohmann::json;
using repo::BlobId;

constexpr std::size_t kGroupBytes = 1 << 20;
constexpr std::size_t kGroupBlobs = 32;
constexpr std::size_t kMostInline = 16;
constexpr std::size_t kMostInPart = 4096;
constexpr unsigned kPartMask = (1U << 10) - 1;

std::size_t most_at_once() { return std::clamp(std::thread::hardware_concurrency(), 2U, 16U); }

bool ends_part(const BlobId& blob) {
  const unsigned tail = static_cast<unsigned>(blob.bytes[30]) << 8 | blob.bytes[31];
  return (tail & kPartMask) == 0;
}

std::vector<BlobId> write_parts_of(const std::vector<BlobId>& blobs, repo::BlobWriter& writer) {
  std::vector<BlobId> parts, part;
  const auto end_part = [&] {
    TreeBuilder tree;
    tree.add_blobs(part);
    parts.push_back(tree.write(writer));
    part.clear();
  };
  for (const BlobId& blob : blobs) {
    part.push_back(blob);
    if (part.size() == kMostInPart || ends_part(blob)) end_part();
  }
  if (!part.empty()) end_part();
  return parts;
}

Digest digest_in(const json& member) {
  return repo::digest_from_hex(member.at("sha256").get_ref<const std::string&>());
}

// Blobs that are read by threads of their own, some ahead.
class ReadAhead {
 public:
  ReadAhead(const repo::Repository& repository, std::vector<BlobId> blobs)
      : repository_(repository), blobs_(std::move(blobs)) {}
  ~ReadAhead() {
    for (auto& group : reading_) group.wait();
  }
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  // The bytes of some blobs; empty at the end.
  std::string next() {
    while (reading_.size() < most_at_once() && asked_ < blobs_.size()) ask();
    if (reading_.empty()) return {};
    std::future<std::string> first = std::move(reading_.front());
    reading_.pop_front();  // also when it throws: the others are waited for
    return first.get();
  }

 private:
  void ask() {
    const std::size_t first = asked_;
    asked_ = std::min(blobs_.size(), first + (blobs_.size() > kGroupBlobs ? kGroupBlobs : 4));
    reading_.push_back(std::async(blobs_.size() == 1 ? std::launch::deferred : std::launch::async,
                                  [this, first, end = asked_] {
                                    std::string bytes;
                                    for (std::size_t i = first; i < end; ++i)
                                      bytes += repository_.read(blobs_[i]);
                                    return bytes;
                                  }));
  }

  const repo::Repository& repository_;
  const std::vector<BlobId> blobs_;
  std::size_t asked_ = 0;
  std::deque<std::future<std::string>> reading_;
};

}  // namespace

ContentWriter::~ContentWriter() {
  for (auto& group : packing_) group.wait();
}

void ContentWriter::add(std::string_view bytes) {
  content_.size_bytes += bytes.size();
  digest_.update(bytes);
  chunker_.add(bytes, [this](std::string_view chunk) { add_chunk(chunk); });
}

void ContentWriter::add_chunk(std::string_view chunk) {
  group_.bytes += chunk;
  group_.lengths.push_back(chunk.size());
  if (group_.bytes.size() >= kGroupBytes) send();
}

void ContentWriter::send() {
  if (packing_.size() >= most_at_once()) take_first();
  packing_.push_back(std::async(std::launch::async,
                                [this, group = std::exchange(group_, {})] { return pack(group); }));
}

ContentWriter::Blobs ContentWriter::pack(const Group& group) {
  Blobs blobs;
  std::string_view rest = group.bytes;
  for (const std::size_t length : group.lengths) {
    blobs.push_back(writer_.add(rest.substr(0, length)));
    rest.remove_prefix(length);
  }
  return blobs;
}

void ContentWriter::take_first() {
  std::future<Blobs> first = std::move(packing_.front());
  packing_.pop_front();  // also when it throws: the others are waited for
  const Blobs blobs = first.get();
  content_.blobs.insert(content_.blobs.end(), blobs.begin(), blobs.end());
}

Content ContentWriter::finish() {
  chunker_.finish([this](std::string_view chunk) { add_chunk(chunk); });
  while (!packing_.empty()) take_first();
  const Blobs last = pack(group_);
  content_.blobs.insert(content_.blobs.end(), last.begin(), last.end());
  content_.sha256 = digest_.finish();
  if (content_.blobs.size() > kMostInline) {
    content_.parts = write_parts_of(content_.blobs, writer_);
    content_.blobs.clear();
  }
  return std::move(content_);
}

void add_content(const Content& content, TreeBuilder& tree, json& member) {
  member["size"] = content.size_bytes;
  member["sha256"] = to_hex(content.sha256);
  if (content.parts.empty()) {
    member["blobs"] = tree.add_blobs(content.blobs);
  } else {
    member["parts"] = tree.add_trees(content.parts);
  }
}

Content content_in(const Tree& tree, const json& member) {
  return tree.checked([&] {
    Content content;
    content.size_bytes = member.at("size").get<std::uint64_t>();
    content.sha256 = digest_in(member);
    if (member.contains("parts")) {
      content.parts = tree.trees(member.at("parts"));
    } else {
      content.blobs = tree.blobs(member.at("blobs"));
    }
    return content;
  });
}

std::vector<BlobId> blobs_of(const repo::Repository& repository, const Content& content) {
  std::vector<BlobId> blobs = content.blobs;
  for (const BlobId& part : content.parts) {
    const std::vector<BlobId> some = Tree::read(repository, part).all_blobs();
    blobs.insert(blobs.end(), some.begin(), some.end());
  }
  return blobs;
}

void read_content(const repo::Repository& repository, const Content& content,
                  const std::function<void(std::string_view)>& visit) {
  ReadAhead ahead(repository, blobs_of(repository, content));
  Sha256 digest;
  for (std::string bytes = ahead.next(); !bytes.empty(); bytes = ahead.next()) {
    digest.update(bytes);
    visit(bytes);
  }
  if (digest.finish() == content.sha256) return;
  throw Error(ErrorCode::kIntegrity,
              fmt::format("the bytes are not those of the SHA-256 {}", to_hex(content.sha256)),
              "look at the repository: coppice backup verify --data");
}

}  // namespace coppice
