// Plan: the fragments of a batch as a list of steps, what they have in common only once.
//
// Model    Steps are in an order in which every step follows its children; equal subtrees are the
//          same step. A step's `uses` counts the steps and fragments that need its result, so that
//          a decoded image can be let go after its last use.
// Threads  Immutable.
#pragma once

#include <string>
#include <vector>

#include "workers/value.h"

namespace coppice::functions {

struct Step {
  int argument = -1;  // >= 0: the value of that argument column
  std::string function;
  std::vector<int> children;
  int uses = 0;
};

struct Plan {
  std::vector<Step> steps;
  std::vector<int> results;  // the step of each fragment
};

Plan make_plan(const std::vector<Fragment>& fragments);

}  // namespace coppice::functions
