// Arena: the memory of one syntax tree, given back as a whole.
//
// Model    Nodes of the parser's tree hold raw pointers to each other; nobody frees one alone. New
//          nodes for a tree are made in the arena of that tree, and live as long as it.
//          Moving an Arena moves its memory: pointers into it stay valid.
// Units    Sizes are bytes. Blocks are aligned to 8, which every protobuf-c message is content
// with. Threads  One thread at a time. Errors   std::bad_alloc when memory is exhausted.
#pragma once

#include <protobuf-c/protobuf-c.h>

#include <cstddef>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace coppice::sql {

class Arena {
 public:
  Arena() = default;
  Arena(Arena&& other) noexcept = default;
  Arena& operator=(Arena&& other) noexcept = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  void* allocate(std::size_t size_bytes);
  // Only large blocks are given back early (protobuf-c's scratch space); others wait for the end.
  void release(void* block);

  template <class T>
  T* allocate_array(std::size_t count) {
    return static_cast<T*>(allocate(count * sizeof(T)));
  }
  // A NUL-terminated copy.
  char* copy(std::string_view text);

  // For protobuf-c. Valid while this Arena stays where it is.
  ProtobufCAllocator allocator();

  std::size_t allocated_bytes() const { return allocated_bytes_; }

 private:
  std::vector<std::unique_ptr<std::byte[]>> blocks_;
  std::unordered_map<void*, std::unique_ptr<std::byte[]>> large_;
  std::byte* next_ = nullptr;
  std::size_t left_ = 0;
  std::size_t allocated_bytes_ = 0;
};

}  // namespace coppice::sql
