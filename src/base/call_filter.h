// CallFilter: system calls that a sandboxed child is refused (with EPERM), for the sandbox.
//
// Model    A list of what is refused, not of what is allowed: libraries of codecs change what they
//          call. Refused is what reaches past walls around files (sockets, other processes, mounts,
//          shared memory and keys by number, names of files given to calls that only look at the
//          owner) and what only attacks on the kernel use.
// Source   seccomp(2), section "Filters".
#pragma once

#include <linux/filter.h>

#include <vector>

namespace coppice {

// For this processor; empty when there is none for it.
std::vector<sock_filter> make_call_filter(bool network);

}  // namespace coppice
