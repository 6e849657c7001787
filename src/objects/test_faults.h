// Test faults: a store that goes wrong where a test of the program says so.
//
// Model    COPPICE_STORE_FAULT=KIND:N[:FILE] does nothing unless COPPICE_TEST=1. The N-th request
// of
//          the process, over all of its stores, goes wrong, and FILE is made then:
//          fail     it is not carried out, and kUnavailable
//          vanish   the same, and so is every request behind it
//          lost     of puts and removes: it is carried out, and kUnavailable
//          torn     of puts: only the first half is stored, and nothing is said
//          dropped  of puts: nothing is stored, and nothing is said
// Threads  As ObjectStore.
// Errors   kUsage for another text.
#pragma once

#include <memory>

#include "objects/object_store.h"

namespace coppice {

// The store itself when no fault is asked for.
std::unique_ptr<ObjectStore> with_test_faults(std::unique_ptr<ObjectStore> store);

}  // namespace coppice
