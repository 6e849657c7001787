#include "sql/arena.h"

#include <algorithm>
#include <cstring>

namespace coppice::sql {
namespace {

constexpr std::size_t kFirstBlockBytes = 4 << 10;  // a small statement's tree is about 3 KiB
constexpr std::size_t kMaxBlockBytes = 256 << 10;
constexpr std::size_t kLargeBytes = 64 << 10;

}  // namespace

void* Arena::allocate(std::size_t size_bytes) {
  const std::size_t size = (std::max<std::size_t>(size_bytes, 1) + 7) & ~std::size_t{7};
  if (size >= kLargeBytes) {
    auto block = std::make_unique_for_overwrite<std::byte[]>(size);
    void* const address = block.get();
    large_.emplace(address, std::move(block));
    allocated_bytes_ += size;
    return address;
  }
  if (size > left_) {
    const std::size_t doubled =
        std::min(kMaxBlockBytes, kFirstBlockBytes << std::min<std::size_t>(blocks_.size(), 8));
    const std::size_t block_bytes = std::max(doubled, size);
    blocks_.push_back(std::make_unique_for_overwrite<std::byte[]>(block_bytes));
    next_ = blocks_.back().get();
    left_ = block_bytes;
    allocated_bytes_ += block_bytes;
  }
  void* const address = next_;
  next_ += size;
  left_ -= size;
  return address;
}

void Arena::release(void* block) { large_.erase(block); }

char* Arena::copy(std::string_view text) {
  char* const to = allocate_array<char>(text.size() + 1);
  std::memcpy(to, text.data(), text.size());
  to[text.size()] = '\0';
  return to;
}

ProtobufCAllocator Arena::allocator() {
  // protobuf-c is C and cannot be left by an exception: a failed allocation is nullptr to it.
  return {.alloc = [](void* arena, std::size_t size) -> void* {
            try {
              return static_cast<Arena*>(arena)->allocate(size);
            } catch (const std::bad_alloc&) {
              return nullptr;
            }
          },
          .free = [](void* arena, void* block) { static_cast<Arena*>(arena)->release(block); },
          .allocator_data = this};
}

}  // namespace coppice::sql
