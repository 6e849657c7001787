// The entry of the repository fuzzer, shared by libFuzzer and the bounded run in the unit tests.
//
// Model    Runs one input through everything that reads what a store gives: as a pack, an index, a
//          manifest, a tree, a mark, a description, an access, an epoch and a name. Documents get a
//          right MAC, so that what is behind it is reached too. Whatever is wrong with it is
//          refused as an Error with a message; what is accepted keeps its promises.
// Errors   None: a broken promise ends the program.
#pragma once

#include <string_view>

namespace coppice::repo {

void fuzz_repository(std::string_view input);

}  // namespace coppice::repo
