// Gemini's generateContent.
#include <nlohmann/json.hpp>

#include "services/chat_parts.h"

namespace coppice::services {
namespace {

using nlohmann::json;

constexpr std::uint64_t kFileLimit = 20 << 20;

const std::vector<Accepted> kAccepted = {
    {"image/jpeg", kFileLimit},      {"image/png", kFileLimit},  {"image/webp", kFileLimit},
    {"image/heif", kFileLimit},      {"audio/wav", kFileLimit},  {"audio/mpeg", kFileLimit},
    {"audio/aac", kFileLimit},       {"audio/ogg", kFileLimit},  {"audio/flac", kFileLimit},
    {"audio/aiff", kFileLimit},      {"video/mp4", kFileLimit},  {"video/mpeg", kFileLimit},
    {"video/quicktime", kFileLimit}, {"video/webm", kFileLimit}, {"application/pdf", kFileLimit},
    {"text/plain", kFileLimit},      {"text/html", kFileLimit},  {"text/markdown", kFileLimit}};

class GeminiGenerate final : public ServiceForm {
 public:
  explicit GeminiGenerate(const FormRequest& from) : parts_(from, kAccepted) {}

  std::variant<HttpRequest, CellFailure> request(std::span<const Arguments> calls) const override {
    auto attachments = parts_.attachments(calls[0]);
    if (auto* failure = std::get_if<CellFailure>(&attachments)) return std::move(*failure);
    json parts = json::array();
    for (const Attachment& attachment : std::get<std::vector<Attachment>>(attachments)) {
      parts.push_back(
          {{"inlineData", {{"mimeType", attachment.mime}, {"data", attachment.base64}}}});
    }
    parts.push_back({{"text", parts_.prompt(calls[0])}});
    const HttpSettings& settings = parts_.settings();
    json body;
    body["contents"] = json::array({json{{"role", "user"}, {"parts", std::move(parts)}}});
    if (!settings.system.empty()) {
      body["systemInstruction"]["parts"] = json::array({json{{"text", settings.system}}});
    }
    if (json config = generation_config(); !config.empty()) body["generationConfig"] = config;
    return json_post(settings.base_url + "/v1beta/models/" + percent_encoded(parts_.model()) +
                         ":generateContent",
                     parts_.finished(std::move(body)));
  }

  Answer read(const JsonAnswer& answer, std::size_t) const override {
    const std::int64_t out = answer.integer("/usageMetadata/candidatesTokenCount").value_or(0) +
                             answer.integer("/usageMetadata/thoughtsTokenCount").value_or(0);
    return {{cell(answer)}, {answer.integer("/usageMetadata/promptTokenCount").value_or(0), out}};
  }

  std::pair<std::string, std::string> key_header(const std::string& key) const override {
    return {"x-goog-api-key", key};
  }

 private:
  json generation_config() const {
    const HttpSettings& settings = parts_.settings();
    json config = json::object();
    if (settings.temperature) config["temperature"] = *settings.temperature;
    if (settings.max_tokens) config["maxOutputTokens"] = *settings.max_tokens;
    if (parts_.wants_json()) config["responseMimeType"] = "application/json";
    if (json schema = parts_.schema(); !schema.is_null()) {
      config["responseSchema"] = std::move(schema);
    }
    return config;
  }

  Cell cell(const JsonAnswer& answer) const {
    if (const auto reason = answer.text("/promptFeedback/blockReason")) {
      return CellFailure{"refused", "the service blocked the prompt: " + excerpt(*reason, 80)};
    }
    const std::string finish = answer.text("/candidates/0/finishReason").value_or("");
    if (finish != "" && finish != "STOP" && finish != "MAX_TOKENS") {
      return CellFailure{"refused", "the service ended the answer: " + excerpt(finish, 80)};
    }
    const bool cut = finish == "MAX_TOKENS";
    const auto count = answer.array_size("/candidates/0/content/parts");
    if (!count && cut) return parts_.cut_failure();
    if (!count) return unexpected(answer, "/candidates/0/content/parts");
    std::string text;
    for (std::size_t i = 0; i < *count; ++i) {
      const std::string part = "/candidates/0/content/parts/" + std::to_string(i);
      if (answer.boolean(part + "/thought").value_or(false)) continue;
      text += answer.text(part + "/text").value_or("");
    }
    return parts_.result(text, cut);
  }

  ChatParts parts_;
};

}  // namespace

std::unique_ptr<ServiceForm> make_gemini_generate(const FormRequest& from) {
  return std::make_unique<GeminiGenerate>(from);
}

}  // namespace coppice::services
