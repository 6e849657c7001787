#include "engine/durable_functions.h"

#include <utility>

namespace coppice::engine {

DurableFunction durable_function(const UserFunction& function) {
  return {function.signature.id, function.digest};
}

DurableFunctions::DurableFunctions(std::function<pg::Connection()> connect, MediaStore& media,
                                   std::function<bool()> ask_again)
    : connect_(std::move(connect)),
      media_(media),
      ask_again_(std::move(ask_again)),
      store_([this]() -> pg::Connection& { return session_.get(connect_); }) {}

DurableFunctions::~DurableFunctions() = default;

FunctionPool& DurableFunctions::in_front_of(FunctionPool& pool, const UserFunction& function) {
  if (function.signature.volatility == Volatility::kVolatile) return pool;
  const DurableFunction durable = durable_function(function);
  Entry& entry = entries_[durable.id];
  if (entry.durable == nullptr || entry.pool != &pool || entry.code != durable.code) {
    DurableOptions options;
    options.function = durable;
    options.ask_again = ask_again_;
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
