// FunctionPools: where the functions of users run: a pool of processes each, or of calls of a
// service.
//
// Model    A pool is made when its function is first called, with the workers, limits and reach
// that
//          the function's settings say, and goes when the function is replaced. The program of its
//          workers is Coppice's Python worker, for commands too. Media that a function makes are
//          files in a scratch folder of the pool: the engine takes them into the store itself,
//          after a look at what they are, so that user code need not be able to write there.
// Threads  pool_for() may be called from any thread; forget() when no call is running.
// Errors   Those of ProcessPool; kUnavailable when the Python worker cannot be found.
// Source   docs/decisions/0007-user-functions.md
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "config/config.h"
#include "engine/function_code.h"
#include "engine/service_pools.h"
#include "engine/spending.h"
#include "engine/user_function.h"
#include "media/store.h"
#include "workers/pool.h"
#include "workers/process_pool.h"

namespace coppice::engine {

class FunctionPools {
 public:
  // `open` gives a session of the catalog's owner; `builtin` decodes frames that are not stored.
  FunctionPools(const Config& config, MediaStore& media, HomeSpending& spending,
                std::function<pg::Connection()> open, FunctionPool& builtin);
  ~FunctionPools();

  FunctionPool& pool_for(const UserFunction& function);
  // Ends the pools of functions that are no more, or that there is a newer version of.
  void forget(const UserFunctions& current);

 private:
  struct Entry {
    std::int64_t version;
    std::unique_ptr<FunctionPool> pool;
  };
  std::unique_ptr<FunctionPool> make_pool(const UserFunction& function);
  std::unique_ptr<FunctionPool> make_pool_for_files(const UserFunction& function);

  const Config& config_;
  MediaStore& media_;
  HomeSpending& spending_;
  const std::function<pg::Connection()> open_;
  FunctionPool& builtin_;
  std::mutex mutex_;
  std::unique_ptr<ServicePools> services_;  // what pools borrow: they go first
  std::map<std::string, Entry> pools_;
};

// What a worker says of a function without calling it. Throws kComputation with the reason when it
// cannot be called: a file that fails when it is run, a missing name, other parameters.
struct FunctionFindings {
  bool batched = false;
};
FunctionFindings examine_function(const Config& config, const UserFunction& function);

}  // namespace coppice::engine
