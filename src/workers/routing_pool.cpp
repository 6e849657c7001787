#include "workers/routing_pool.h"

#include <algorithm>
#include <utility>

namespace coppice {
namespace {

struct Share {
  FunctionPool* pool;
  std::vector<std::size_t> fragments;
};

// The arguments that the fragments of a share read, and no others, are sent to its pool.
void collect(const Fragment& fragment, std::vector<int>& arguments) {
  if (fragment.is_argument() &&
      std::find(arguments.begin(), arguments.end(), fragment.argument) == arguments.end()) {
    arguments.push_back(fragment.argument);
  }
  for (const Fragment& child : fragment.children) collect(child, arguments);
}

void renumber(Fragment& fragment, const std::vector<int>& arguments) {
  if (fragment.is_argument()) {
    const auto at = std::find(arguments.begin(), arguments.end(), fragment.argument);
    fragment.argument = static_cast<int>(at - arguments.begin());
  }
  for (Fragment& child : fragment.children) renumber(child, arguments);
}

}  // namespace

BatchResult RoutingPool::evaluate(const std::vector<Fragment>& fragments, const Batch& batch,
                                  std::stop_token stop) {
  std::vector<Share> shares;
  for (std::size_t i = 0; i < fragments.size(); ++i) {
    FunctionPool* const pool = &route_(fragments[i].function);
    const auto known = std::find_if(shares.begin(), shares.end(),
                                    [&](const Share& share) { return share.pool == pool; });
    if (known == shares.end()) {
      shares.push_back({pool, {i}});
    } else {
      known->fragments.push_back(i);
    }
  }
  if (shares.size() == 1) return shares[0].pool->evaluate(fragments, batch, std::move(stop));
  BatchResult results(fragments.size());
  for (const Share& share : shares) {
    std::vector<Fragment> own;
    std::vector<int> arguments;
    for (const std::size_t i : share.fragments) collect(fragments[i], arguments);
    for (const std::size_t i : share.fragments) renumber(own.emplace_back(fragments[i]), arguments);
    Batch part{batch.row_count, {}};
    for (const int argument : arguments) {
      part.arguments.push_back(batch.arguments[static_cast<std::size_t>(argument)]);
    }
    BatchResult some = share.pool->evaluate(own, part, stop);
    for (std::size_t k = 0; k < some.size(); ++k) {
      results[share.fragments[k]] = std::move(some[k]);
    }
  }
  return results;
}

}  // namespace coppice
