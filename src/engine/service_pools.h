// ServicePools: what the functions of LANGUAGE http of a home share, and their pools.
//
// Model    Secrets and circuit breakers are this process's; limits are the home's
//          (shared_limits.h), and so is what calls cost (spending.h).
// Threads  make() may be called from any thread.
// Source   docs/decisions/0008-model-services.md
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "config/config.h"
#include "config/secret.h"
#include "engine/shared_limits.h"
#include "engine/user_function.h"
#include "media/store.h"
#include "services/circuit_breaker.h"
#include "workers/pool.h"
#include "workers/spending.h"

namespace coppice::engine {

class ServicePools {
 public:
  // `config` and `media` are borrowed; `open` gives a session of the catalog's owner.
  ServicePools(const Config& config, const MediaStore& media, std::function<pg::Connection()> open);

  // It borrows from here, and the meter.
  std::unique_ptr<FunctionPool> make(const UserFunction& function, SpendingMeter& meter);

 private:
  const Config& config_;
  const MediaStore& media_;
  SystemClock clock_;
  Secrets secrets_;
  HomeLimits limits_;
  services::CircuitBreakers breakers_;
};

// Throws when such a function cannot work, as CREATE FUNCTION tells it.
void check_service_function(const Config& config, const UserFunction& function);

// SHA-256 over what decides the answers of a service: AS, and SET but for keys, limits and times.
std::string service_digest(const std::string& source, const SettingTexts& settings);

}  // namespace coppice::engine
