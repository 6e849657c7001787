#include "services/testing/service_world.h"

#include "base/error.h"

namespace coppice::services {

std::string tiny_png() {
  const unsigned char bytes[] = {0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0,    0, 0, 0x0d,
                                 0x49, 0x48, 0x44, 0x52, 0,    0,    0,    1,    0,    0, 0, 1,
                                 8,    0,    0,    0,    0,    0x3a, 0x7e, 0x9b, 0x55, 0, 0, 0,
                                 0x0a, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0x60, 0, 0, 0,
                                 2,    0,    1,    0x48, 0xaf, 0xa4, 0x71, 0,    0,    0, 0, 0x49,
                                 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};
  return {reinterpret_cast<const char*>(bytes), sizeof bytes};
}

HttpFunction ServiceWorld::function(const std::string& source, std::vector<ValueType> parameters,
                                    ValueType result, SettingTexts settings) {
  HttpFunction function;
  function.source = source;
  function.settings = std::move(settings);
  function.signature.id = "public.f";
  function.signature.name = "f";
  function.signature.volatility = Volatility::kStable;
  for (const ValueType type : parameters) {
    const char name = static_cast<char>('a' + function.signature.parameters.size());
    function.signature.parameters.push_back({std::string(1, name), type, std::nullopt});
  }
  function.signature.result = result;
  function.defaults.base_url = source.starts_with("json:") ? "" : "https://api.openai.com/v1";
  function.defaults.limits.in_flight = 64;
  return function;
}

std::unique_ptr<HttpFunctionPool> ServiceWorld::pool(HttpFunction function, RetryPace pace) {
  return std::make_unique<HttpFunctionPool>(std::move(function), context(), pace);
}

std::vector<Cell> call_each(HttpFunctionPool& pool, const std::string& id,
                            const std::vector<Value>& arguments, std::stop_token stop) {
  Fragment fragment;
  fragment.function = id;
  fragment.children.push_back({0, "", {}});
  return std::move(
      pool.evaluate({fragment}, Batch{arguments.size(), {arguments}}, std::move(stop)).at(0));
}

Value text_value(std::string text) {
  Value value;
  value.type = ValueType::kText;
  value.text = std::move(text);
  return value;
}

std::string text_of(const Cell& cell) {
  if (const auto* const value = std::get_if<Value>(&cell)) return value->text;
  const auto& failure = std::get<CellFailure>(cell);
  ADD_FAILURE() << failure.type << ": " << failure.message;
  return "";
}

CellFailure failure_of(const Cell& cell) {
  if (const auto* const failure = std::get_if<CellFailure>(&cell)) return *failure;
  ADD_FAILURE() << "it gave " << std::get<Value>(cell).text;
  return {};
}

std::string refusal_of(const HttpFunction& function) {
  try {
    check_http_function(function);
  } catch (const Error& error) {
    return error.message() + " | " + error.hint();
  }
  return "";
}

}  // namespace coppice::services
