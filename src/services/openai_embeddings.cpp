// OpenAI's embeddings: many texts in one request.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "services/chat_parts.h"
#include "services/packed_array.h"

namespace coppice::services {
namespace {

using nlohmann::json;

class OpenAiEmbeddings final : public ServiceForm {
 public:
  explicit OpenAiEmbeddings(const FormRequest& from)
      : settings_(from.settings), model_(from.source.model), result_(from.signature.result) {
    const auto& parameters = from.signature.parameters;
    if (parameters.size() != 1 || parameters[0].type != ValueType::kText) {
      throw Error(ErrorCode::kUsage, "a function of embeddings has one parameter, a text",
                  "put texts together in the call: f(title || ' ' || body)");
    }
    if (!is_array(result_) && result_ != ValueType::kJson) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("a function of embeddings gives float8[] or real[], not {}",
                              sql_type_name(result_)));
    }
  }

  std::size_t calls_per_request() const override { return settings_.batch; }

  std::variant<HttpRequest, CellFailure> request(std::span<const Arguments> calls) const override {
    json input = json::array();
    for (const Arguments& call : calls) input.push_back(call[0]->text);
    json body = {{"model", model_}, {"input", std::move(input)}, {"encoding_format", "float"}};
    if (settings_.dimensions) body["dimensions"] = *settings_.dimensions;
    if (!settings_.parameters.empty()) body.update(json::parse(settings_.parameters), true);
    return json_post(settings_.base_url + "/embeddings",
                     body.dump(-1, ' ', false, json::error_handler_t::replace));
  }

  Answer read(const JsonAnswer& answer, std::size_t call_count) const override {
    Answer result;
    result.tokens.in = answer.integer("/usage/prompt_tokens").value_or(0);
    const auto count = answer.array_size("/data");
    if (!count || *count != call_count) {
      result.cells = {CellFailure{
          "response", fmt::format("the answer has {} embeddings for {} texts",
                                  count ? std::to_string(*count) : "no list of", call_count)}};
      return result;
    }
    result.cells.resize(call_count, CellFailure{"response", "the answer leaves this text out"});
    for (std::size_t i = 0; i < call_count; ++i) {
      const std::string item = fmt::format("/data/{}", i);
      const auto index = answer.integer(item + "/index").value_or(static_cast<std::int64_t>(i));
      if (index < 0 || static_cast<std::size_t>(index) >= call_count) continue;
      result.cells[static_cast<std::size_t>(index)] = cell(answer, item + "/embedding");
    }
    return result;
  }

  std::pair<std::string, std::string> key_header(const std::string& key) const override {
    return {"Authorization", "Bearer " + key};
  }

 private:
  Cell cell(const JsonAnswer& answer, const std::string& pointer) const {
    const auto numbers = answer.numbers(pointer);
    if (!numbers) return unexpected(answer, "list of numbers at " + pointer);
    const auto wanted = settings_.dimensions;
    if (wanted && static_cast<std::int64_t>(numbers->size()) != *wanted) {
      return CellFailure{
          "response", fmt::format("the vector has {} numbers, not {}", numbers->size(), *wanted)};
    }
    if (is_array(result_)) return pack_array(*numbers, result_);
    Value value;
    value.type = ValueType::kJson;
    value.text = answer.json(pointer).value_or("null");
    return value;
  }

  HttpSettings settings_;
  std::string model_;
  ValueType result_;
};

}  // namespace

std::unique_ptr<ServiceForm> make_openai_embeddings(const FormRequest& from) {
  return std::make_unique<OpenAiEmbeddings>(from);
}

}  // namespace coppice::services
