#include "engine/durable_functions.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "engine/function_costs.h"
#include "engine/function_settings.h"

namespace coppice::engine {
namespace {

// Of a service; they keep no workers busy, and wait for each other in its own pool.
constexpr std::size_t kServiceCalls = 64;

std::size_t calls_at_once(const UserFunction& function) {
  if (function.signature.language == FunctionLanguage::kHttp) return kServiceCalls;
  const FunctionSettings settings =
      read_function_settings(function.settings, function.signature.language);
  const std::size_t workers = settings.workers > 0 ? static_cast<std::size_t>(settings.workers)
                                                   : std::thread::hardware_concurrency();
  return std::max<std::size_t>(workers, 1) * (function.batched ? settings.batch : 1);
}

}  // namespace

DurableFunction durable_function(const UserFunction& function) {
  return {function.signature.id, function.digest};
}

DurableFunctions::DurableFunctions(std::function<pg::Connection()> connect, MediaStore& media,
                                   HomeSpending& spending, std::function<bool()> ask_again,
                                   std::function<bool()> tells_repeats)
    : connect_(std::move(connect)),
      media_(media),
      spending_(spending),
      ask_again_(std::move(ask_again)),
      tells_repeats_(std::move(tells_repeats)),
      store_([this]() -> pg::Connection& { return session_.get(connect_); }) {}

DurableFunctions::~DurableFunctions() = default;

FunctionPool& DurableFunctions::in_front_of(FunctionPool& pool, const UserFunction& function) {
  if (function.signature.volatility == Volatility::kVolatile) return pool;
  const DurableFunction durable = durable_function(function);
  Entry& entry = entries_[durable.id];
  if (entry.durable == nullptr || entry.pool != &pool || entry.code != durable.code) {
    DurableOptions options;
    options.function = durable;
    options.calls_at_once = calls_at_once(function);
    options.ask_again = ask_again_;
    options.tells_repeats = tells_repeats_;
    options.meter = &spending_.meter(durable.id, function_costs(function).budget);
    options.make_durable = [this](const std::vector<std::string>& names) {
      std::vector<MediaName> objects;
      for (const std::string& name : names) {
        if (const auto object = MediaName::parse(name)) objects.push_back(*object);
      }
      media_.make_durable(objects);
    };
    entry = {&pool, durable.code, std::make_unique<DurablePool>(pool, store_, std::move(options))};
  }
  return *entry.durable;
}

}  // namespace coppice::engine
