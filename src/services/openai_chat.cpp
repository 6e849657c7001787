// OpenAI's chat completions, and the many services that speak like it.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "services/chat_parts.h"

namespace coppice::services {
namespace {

using nlohmann::json;

constexpr std::uint64_t kFileLimit = 20 << 20;
constexpr std::string_view kOwnAddress = "https://api.openai.com/";

const std::vector<Accepted> kAccepted = {
    {"image/jpeg", kFileLimit}, {"image/png", kFileLimit},      {"image/gif", kFileLimit},
    {"image/webp", kFileLimit}, {"audio/wav", kFileLimit},      {"audio/x-wav", kFileLimit},
    {"audio/mpeg", kFileLimit}, {"application/pdf", kFileLimit}};

json part_of(const Attachment& attachment) {
  switch (attachment.kind) {
    case MediaKind::kAudio:
      return {{"type", "input_audio"},
              {"input_audio",
               {{"data", attachment.base64},
                {"format", attachment.mime == "audio/mpeg" ? "mp3" : "wav"}}}};
    case MediaKind::kDocument:
      return {{"type", "file"},
              {"file",
               {{"filename", "document." + attachment.extension},
                {"file_data", attachment.data_url()}}}};
    default:
      return {{"type", "image_url"}, {"image_url", {{"url", attachment.data_url()}}}};
  }
}

class OpenAiChat final : public ServiceForm {
 public:
  explicit OpenAiChat(const FormRequest& from) : parts_(from, kAccepted) {}

  std::variant<HttpRequest, CellFailure> request(std::span<const Arguments> calls) const override {
    auto attachments = parts_.attachments(calls[0]);
    if (auto* failure = std::get_if<CellFailure>(&attachments)) return std::move(*failure);
    const HttpSettings& settings = parts_.settings();
    json body = {{"model", parts_.model()}, {"messages", json::array()}};
    if (!settings.system.empty()) {
      body["messages"].push_back({{"role", "system"}, {"content", settings.system}});
    }
    body["messages"].push_back(
        {{"role", "user"},
         {"content", content(std::get<std::vector<Attachment>>(attachments), calls[0])}});
    if (settings.temperature) body["temperature"] = *settings.temperature;
    if (settings.max_tokens) body[max_tokens_name()] = *settings.max_tokens;
    if (json schema = parts_.schema(); !schema.is_null()) {
      body["response_format"] = {
          {"type", "json_schema"},
          {"json_schema", {{"name", "answer"}, {"strict", true}, {"schema", std::move(schema)}}}};
    }
    return json_post(settings.base_url + "/chat/completions", parts_.finished(std::move(body)));
  }

  Answer read(const JsonAnswer& answer, std::size_t) const override {
    return {{cell(answer)},
            {answer.integer("/usage/prompt_tokens").value_or(0),
             answer.integer("/usage/completion_tokens").value_or(0)}};
  }

  std::pair<std::string, std::string> key_header(const std::string& key) const override {
    return {"Authorization", "Bearer " + key};
  }

 private:
  json content(const std::vector<Attachment>& attachments, const Arguments& call) const {
    if (attachments.empty()) return parts_.prompt(call);
    json content = json::array();
    for (const Attachment& attachment : attachments) content.push_back(part_of(attachment));
    content.push_back({{"type", "text"}, {"text", parts_.prompt(call)}});
    return content;
  }

  // Its newer models take the one name only, other services know the other only.
  const char* max_tokens_name() const {
    return parts_.settings().base_url.starts_with(kOwnAddress) ? "max_completion_tokens"
                                                               : "max_tokens";
  }

  Cell cell(const JsonAnswer& answer) const {
    const std::string finish = answer.text("/choices/0/finish_reason").value_or("");
    if (const auto refusal = answer.text("/choices/0/message/refusal");
        refusal && !refusal->empty()) {
      return CellFailure{"refused", "the model declined: " + excerpt(*refusal, 300)};
    }
    if (finish == "content_filter") {
      return CellFailure{"refused", "the service's content filter stopped the answer"};
    }
    const auto text = answer.text("/choices/0/message/content");
    if (!text && finish == "length") return parts_.cut_failure();
    if (!text) return unexpected(answer, "/choices/0/message/content");
    return parts_.result(*text, finish == "length");
  }

  ChatParts parts_;
};

}  // namespace

std::unique_ptr<ServiceForm> make_openai_chat(const FormRequest& from) {
  return std::make_unique<OpenAiChat>(from);
}

}  // namespace coppice::services
