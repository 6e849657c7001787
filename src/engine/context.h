// EngineContext: what every verb works with: connections, catalog, media, workers, stop.
//
// Model    `main` is the owner's session: it writes. `reader` is the restricted role's: queries of
//          users run there, read-only. `side` evaluates SQL around engine functions while another
//          session streams. `origin` is the owner's too: it reads the rows that an UPDATE or DELETE
//          with engine functions starts from, while `main` keeps what is made of them. All but
//          main are opened when first used.
//          While a batch of rows is computed, the one before it may be stored on `main`
//          (engine/batch_run.h): what uses main then waits for that first.
// Threads  As Engine: one thread at a time; `stop` may be requested from any.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "catalog/catalog.h"
#include "catalog/operations.h"
#include "engine/lazy_connection.h"
#include "engine/result_sink.h"
#include "engine/spending.h"
#include "engine/user_function.h"
#include "exec/functions.h"
#include "media/store.h"
#include "pg/connection.h"
#include "workers/pool.h"

namespace coppice {

class Config;
class HttpClient;
class WorkBehind;
struct ProcessPoolOptions;
class UrlCache;

namespace engine {

class DurableFunctions;
class FunctionPools;
class Rehearsal;

// How the home's database is reached.
struct DatabaseAddress {
  std::string owner_conninfo;
  std::string reader_conninfo;             // may be the owner's own
  std::optional<std::string> reader_role;  // to SET, when the reader cannot log in by itself
  bool private_server = false;
};

struct EngineContext {
  EngineContext(const Config& configuration, DatabaseAddress database);
  ~EngineContext();

  const Config& config;
  DatabaseAddress address;
  pg::Connection main;
  catalog::Catalog catalog;
  catalog::OperationLog log;
  MediaStore media;
  UserFunctions user_functions;
  exec::FunctionTable functions;          // the built-in ones and those
  std::set<std::string> functions_noted;  // by this process (engine/function_use.h)
  std::stop_source stop;
  bool in_background = false;  // this process runs a background job (engine/background.h)
  std::optional<std::string> replaced_job;  // whose command it runs anew
  std::function<void()> working;   // told when the job has what it needs to go on after a restart
  bool recomputing = false;        // calls are made again though their results are kept
  Rehearsal* rehearsal = nullptr;  // set while a statement is estimated (engine/rehearsal.h)
  const catalog::Operation* writing = nullptr;  // set by a WritingScope (engine/references.h)
  const WorkBehind* storing = nullptr;          // set by run_batches()

  pg::Connection& reader();
  pg::Connection& side();
  pg::Connection& origin();
  FunctionPool& pool();  // media arguments may be URLs: engine/reference_pool.h
  UrlCache* url_cache();
  HomeSpending& spending() { return spending_; }

  // Throws kInterrupted once a stop was requested.
  void check_stop() const;
  void wait_for_storing() const noexcept;
  // From any thread or signal handler: check_stop() throws from now on, and statements that run in
  // the database end with kInterrupted.
  void request_stop() noexcept;
  void forget_catalog() { catalog.forget(); }
  // Reads the users' functions again if anybody has changed them. Not while a statement is planned.
  void refresh_functions();

 private:
  HomeSpending spending_;  // pools borrow its meters: they go first
  LazyConnection reader_;
  LazyConnection side_;
  LazyConnection origin_;
  std::unique_ptr<FunctionPool> builtin_pool_;
  std::unique_ptr<FunctionPools> user_pools_;
  std::unique_ptr<DurableFunctions> durable_;
  std::unique_ptr<FunctionPool> pool_;
  SystemClock clock_;
  std::unique_ptr<HttpClient> http_;
  std::unique_ptr<UrlCache> url_cache_;
};

// Who works: "user" or, under sudo, "root (for user)".
std::string current_author();

// How the function workers of a home are started: their program, their limits, what they may read.
ProcessPoolOptions function_worker_options(const Config& config);

}  // namespace engine
}  // namespace coppice
