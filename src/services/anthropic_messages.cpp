// Anthropic's messages.
#include <nlohmann/json.hpp>

#include "services/chat_parts.h"

namespace coppice::services {
namespace {

using nlohmann::json;

constexpr std::uint64_t kImageLimit = 5 << 20;
constexpr std::uint64_t kDocumentLimit = 32 << 20;
constexpr std::int64_t kUsualMaxTokens = 4096;  // the service wants one
constexpr const char* kToolName = "answer";

const std::vector<Accepted> kAccepted = {{"image/jpeg", kImageLimit},
                                         {"image/png", kImageLimit},
                                         {"image/gif", kImageLimit},
                                         {"image/webp", kImageLimit},
                                         {"application/pdf", kDocumentLimit}};

class AnthropicMessages final : public ServiceForm {
 public:
  explicit AnthropicMessages(const FormRequest& from) : parts_(from, kAccepted) {}

  std::variant<HttpRequest, CellFailure> request(std::span<const Arguments> calls) const override {
    auto attachments = parts_.attachments(calls[0]);
    if (auto* failure = std::get_if<CellFailure>(&attachments)) return std::move(*failure);
    const HttpSettings& settings = parts_.settings();
    json body = {{"model", parts_.model()},
                 {"max_tokens", settings.max_tokens.value_or(kUsualMaxTokens)}};
    body["messages"] = json::array(
        {json{{"role", "user"},
              {"content", content(std::get<std::vector<Attachment>>(attachments), calls[0])}}});
    if (!settings.system.empty()) body["system"] = settings.system;
    if (settings.temperature) body["temperature"] = *settings.temperature;
    if (json schema = parts_.schema(); !schema.is_null()) {
      body["tools"] = json::array({json{{"name", kToolName},
                                        {"description", "Gives the answer."},
                                        {"input_schema", std::move(schema)}}});
      body["tool_choice"] = {{"type", "tool"}, {"name", kToolName}};
    }
    HttpRequest request =
        json_post(settings.base_url + "/v1/messages", parts_.finished(std::move(body)));
    request.headers.emplace_back("anthropic-version", "2023-06-01");
    return request;
  }

  Answer read(const JsonAnswer& answer, std::size_t) const override {
    // What was written to or read from the service's cache was sent, too.
    const std::int64_t in = answer.integer("/usage/input_tokens").value_or(0) +
                            answer.integer("/usage/cache_creation_input_tokens").value_or(0) +
                            answer.integer("/usage/cache_read_input_tokens").value_or(0);
    return {{cell(answer)}, {in, answer.integer("/usage/output_tokens").value_or(0)}};
  }

  std::pair<std::string, std::string> key_header(const std::string& key) const override {
    return {"x-api-key", key};
  }

 private:
  json content(const std::vector<Attachment>& attachments, const Arguments& call) const {
    if (attachments.empty()) return parts_.prompt(call);
    json content = json::array();
    for (const Attachment& attachment : attachments) {
      const char* const type = attachment.kind == MediaKind::kDocument ? "document" : "image";
      content.push_back(
          {{"type", type},
           {"source",
            {{"type", "base64"}, {"media_type", attachment.mime}, {"data", attachment.base64}}}});
    }
    content.push_back({{"type", "text"}, {"text", parts_.prompt(call)}});
    return content;
  }

  Cell cell(const JsonAnswer& answer) const {
    const std::string stop = answer.text("/stop_reason").value_or("");
    if (stop == "refusal") return CellFailure{"refused", "the model declined to answer"};
    const auto count = answer.array_size("/content");
    if (!count) return unexpected(answer, "/content");
    const bool cut = stop == "max_tokens";
    std::string text;
    bool found = false;
    for (std::size_t i = 0; i < *count; ++i) {
      const std::string block = "/content/" + std::to_string(i);
      const std::string type = answer.text(block + "/type").value_or("");
      if (type == "tool_use") {
        const auto input = answer.json(block + "/input");
        return input ? parts_.result(*input, cut) : Cell(unexpected(answer, block + "/input"));
      }
      if (type != "text") continue;
      text += answer.text(block + "/text").value_or("");
      found = true;
    }
    if (!found && cut) return parts_.cut_failure();
    if (!found) return unexpected(answer, "text or tool_use in /content");
    return parts_.result(text, cut);
  }

  ChatParts parts_;
};

}  // namespace

std::unique_ptr<ServiceForm> make_anthropic_messages(const FormRequest& from) {
  return std::make_unique<AnthropicMessages>(from);
}

}  // namespace coppice::services
