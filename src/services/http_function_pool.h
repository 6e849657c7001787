// HttpFunctionPool: evaluates one function of LANGUAGE http by asking its service.
//
// Model    Calls of a batch run at the same time on the calling thread, as many as the limits
// allow;
//          connections are kept from batch to batch. A call with a NULL argument is NULL and is not
//          made; equal calls of a batch are made once, unless the function is VOLATILE. Bodies are
//          built when they are sent.
// Threads  evaluate() may be called from any thread, also several times at once.
// Errors   What goes wrong with a call is a CellFailure of a type of http_functions.md. evaluate()
//          throws kInterrupted when stop is requested, what Secrets throws when the key cannot be
//          resolved, and what SharedLimits throws. The constructor throws as
//          check_http_function().
// Source   docs/formats/http_functions.md, docs/decisions/0008-model-services.md
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/secret.h"
#include "media/store.h"
#include "net/http_multi.h"
#include "services/circuit_breaker.h"
#include "services/http_settings.h"
#include "services/service_form.h"
#include "services/shared_limits.h"
#include "workers/pool.h"
#include "workers/signature.h"
#include "workers/spending.h"

namespace coppice::services {

struct HttpFunction {
  Signature signature;
  std::string source;  // AS
  SettingTexts settings;
  ServiceDefaults defaults;
};

// What CREATE FUNCTION asks: throws kUsage (or kUnsupported) when the function cannot work.
void check_http_function(const HttpFunction& function);

// What the functions of a home share, and the function's own meter; all borrowed.
struct ServiceContext {
  const MediaStore& media;
  Secrets& secrets;
  SharedLimits& limits;
  CircuitBreakers& breakers;
  SpendingMeter& meter;
  const Clock& clock;
};

struct RetryPace {
  std::chrono::milliseconds first{500};
  std::chrono::milliseconds most{30'000};
};

class HttpFunctionPool final : public FunctionPool {
 public:
  HttpFunctionPool(HttpFunction function, ServiceContext context, RetryPace pace = {});

  BatchResult evaluate(const std::vector<Fragment>& fragments, const Batch& batch,
                       std::stop_token stop) override;
  BatchResult evaluate_watched(const std::vector<Fragment>& fragments, const Batch& batch,
                               CallWatcher& watcher, std::stop_token stop) override;

 private:
  friend class BatchCalls;

  BatchResult evaluate_level(const std::vector<const Fragment*>& fragments, const Batch& batch,
                             CallWatcher& watcher, const std::stop_token& stop);
  std::vector<Cell> make_calls(const std::vector<Arguments>& calls, CallWatcher& watcher,
                               const std::stop_token& stop);
  std::unique_ptr<HttpMulti> take_connections();
  void give_back(std::unique_ptr<HttpMulti> connections);
  // Loops that wait for a slot, which another one of this pool may hold.
  void wait_for_slot(HttpMulti& loop);
  void stop_waiting(HttpMulti& loop);
  void wake_waiting();

  const HttpFunction function_;
  const ServiceSource source_;
  const HttpSettings settings_;
  const ServiceContext context_;
  const RetryPace pace_;
  const std::unique_ptr<ServiceForm> form_;
  const std::string model_key_;  // of limits and circuit breakers
  std::atomic<bool> answered_ = false;
  std::atomic<double> tokens_out_ = 256;  // of an answer, smoothed
  std::mutex mutex_;
  std::vector<std::unique_ptr<HttpMulti>> idle_;
  std::set<HttpMulti*> waiting_;
};

}  // namespace coppice::services
