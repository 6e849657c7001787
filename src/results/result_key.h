// Result key: which call it is, as 32 bytes.
//
// Model    Equal function, equal code and equal arguments give the same key, in every table and on
//          every machine. Media count by their content: their names are digests.
// Threads  Pure functions.
// Source   docs/formats/durable_results.md
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/sha256.h"
#include "workers/value.h"

namespace coppice {

using ResultKey = Digest;

// A function whose results are kept.
struct DurableFunction {
  std::string id;    // Signature::id
  std::string code;  // what its results depend on besides the arguments
};

// No argument may be NULL.
ResultKey result_key(const DurableFunction& function, std::span<const Value* const> arguments);

// The number of the advisory lock that whoever makes the call holds.
std::int64_t lock_number(const ResultKey& key);

}  // namespace coppice
