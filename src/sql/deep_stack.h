// DeepStack: runs the recursive parts of libpg_query on a stack that is large enough.
//
// Model    libpg_query and protobuf-c recurse once per level of the tree and have no stack guard.
//          Shallow work runs where it is called. Deeper work gets a thread of its own with
//          kDeepStackBytes of address space, of which only what is touched becomes memory. Starting
//          that thread takes 50-100 us, little beside such a statement.
// Units    `depth` is levels of nested messages; one takes at most 1 KiB of stack (measured: 960
//          bytes in parser, unpack, pack and deparse, whatever the construct).
// Threads  Any thread with 256 KiB of stack left.
// Errors   What `work` throws; kUnsupported above the maximum; kUnavailable without a thread.
#pragma once

#include <cstddef>
#include <functional>

namespace coppice::sql {

constexpr std::size_t kDeepStackBytes = 64 << 20;
constexpr std::size_t kDirectMessageDepth = 100;
constexpr std::size_t kMaxMessageDepth = 40'000;

void run_on_deep_stack(std::size_t depth, const std::function<void()>& work);

}  // namespace coppice::sql
