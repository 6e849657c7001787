// DurableFunctions: puts what keeps results in front of the pools of users' functions.
//
// Model    Results of functions that are IMMUTABLE or STABLE are looked up and kept in
// coppice.results
//          by a session of their own (results/durable_pool.h); calls of VOLATILE ones go straight
//          to their pool. While `ask_again` says so every call is made, and replaces what is kept.
// Threads  As the context.
// Source   docs/formats/durable_results.md
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "engine/lazy_connection.h"
#include "engine/spending.h"
#include "engine/user_function.h"
#include "media/store.h"
#include "results/durable_pool.h"

namespace coppice::engine {

class DurableFunctions {
 public:
  DurableFunctions(std::function<pg::Connection()> connect, MediaStore& media,
                   HomeSpending& spending, std::function<bool()> ask_again,
                   std::function<bool()> tells_repeats);
  ~DurableFunctions();

  // What to call instead of `pool`, where the function runs. Valid for the call.
  FunctionPool& in_front_of(FunctionPool& pool, const UserFunction& function);

 private:
  struct Entry {
    FunctionPool* pool;
    std::string code;
    std::unique_ptr<DurablePool> durable;
  };
  std::function<pg::Connection()> connect_;
  MediaStore& media_;
  HomeSpending& spending_;
  std::function<bool()> ask_again_;
  std::function<bool()> tells_repeats_;
  LazyConnection session_;
  ResultStore store_;
  std::map<std::string, Entry> entries_;
};

// What a function's results depend on besides its arguments.
DurableFunction durable_function(const UserFunction& function);

}  // namespace coppice::engine
