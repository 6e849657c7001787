#include "services/chat_parts.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"

namespace coppice::services {
namespace {

constexpr std::size_t kExcerptCharacters = 80;

TextTemplate usual_prompt(const std::vector<Parameter>& parameters) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (parameters[i].type != ValueType::kText) continue;
    TextTemplate prompt;
    prompt.pieces.push_back({"", static_cast<int>(i)});
    return prompt;
  }
  throw Error(ErrorCode::kUsage, "nothing says what to ask",
              "SET prompt = 'Describe this picture.', or give the function a text parameter");
}

}  // namespace

ChatParts::ChatParts(const FormRequest& from, std::vector<Accepted> accepted)
    : name_(from.signature.name),
      model_(from.source.model),
      parameters_(from.signature.parameters),
      result_(from.signature.result),
      settings_(from.settings),
      media_(from.media),
      accepted_(std::move(accepted)),
      prompt_(settings_.has_prompt ? parse_template(settings_.prompt, parameters_, "SET prompt")
                                   : usual_prompt(parameters_)) {
  if (result_ != ValueType::kText && result_ != ValueType::kJson) {
    throw Error(ErrorCode::kUsage,
                fmt::format("a model that is asked in words gives text or jsonb, not {}",
                            sql_type_name(result_)),
                "return jsonb, SET schema, and take the value out: (f(x) ->> 'count')::bigint");
  }
  if (!settings_.schema.empty() && !wants_json()) {
    throw Error(ErrorCode::kUsage, "SET schema wants a function that returns jsonb");
  }
  check_kinds();
}

void ChatParts::check_kinds() const {
  std::vector<bool> used(parameters_.size());
  note_uses(prompt_, used);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (!is_media(parameters_[i].type)) continue;
    const std::string kind = sql_type_name(parameters_[i].type);
    if (used[i]) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("SET prompt: {{{}}} is {}, not a text", parameters_[i].name,
                              kind_with_article(*kind_from_name(kind))),
                  "leave it out: media stand in front of the text by themselves");
    }
    used[i] = true;
    // Documents are "application/pdf" and "text/…".
    const bool taken = std::any_of(accepted_.begin(), accepted_.end(), [&](const Accepted& known) {
      const bool document =
          known.mime.starts_with("application/") || known.mime.starts_with("text/");
      return document ? kind == "document" : known.mime.starts_with(kind + "/");
    });
    if (!taken) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("the parameter {} is {}, which this service does not take",
                              parameters_[i].name, kind_with_article(*kind_from_name(kind))));
    }
  }
  require_all_used(used, parameters_, settings_.has_prompt ? "SET prompt" : "the prompt");
}

std::string ChatParts::prompt(const Arguments& call) const {
  std::string text;
  for (const TextTemplate::Piece& piece : prompt_.pieces) {
    text += piece.argument < 0 ? piece.text
                               : value_text(*call[static_cast<std::size_t>(piece.argument)]);
  }
  return text;
}

std::variant<std::vector<Attachment>, CellFailure> ChatParts::attachments(
    const Arguments& call) const {
  std::vector<Attachment> attachments;
  for (const Value* const value : call) {
    if (!is_media(value->type)) continue;
    auto read = read_attachment(*media_, *value, accepted_, 0);
    if (auto* failure = std::get_if<CellFailure>(&read)) return std::move(*failure);
    attachments.push_back(std::move(std::get<Attachment>(read)));
  }
  return attachments;
}

CellFailure ChatParts::cut_failure() const {
  return {"limit", "the answer was cut at the limit of tokens; SET max_tokens higher"};
}

Cell ChatParts::result(const std::string& text, bool cut) const {
  if (cut && (wants_json() || !settings_.max_tokens)) return cut_failure();
  Value value;
  value.type = result_;
  value.text = text;
  if (wants_json()) {
    JsonAnswer parser;
    if (const auto problem = parser.parse(text)) {
      return CellFailure{"response", fmt::format("the answer is not JSON: \"{}\"",
                                                 excerpt(text, kExcerptCharacters))};
    }
  }
  if (holds_nul(value)) return CellFailure{"response", "the answer holds the character NUL"};
  return value;
}

nlohmann::json ChatParts::schema() const {
  return settings_.schema.empty() ? nlohmann::json() : nlohmann::json::parse(settings_.schema);
}

std::string ChatParts::finished(nlohmann::json body) const {
  if (!settings_.parameters.empty()) {
    body.update(nlohmann::json::parse(settings_.parameters), true);
  }
  return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

HttpRequest json_post(const std::string& url, std::string body) {
  HttpRequest request;
  request.method = "POST";
  request.url = url;
  request.headers = {{"Content-Type", "application/json"}, {"Accept", "application/json"}};
  request.body = std::move(body);
  return request;
}

CellFailure unexpected(const JsonAnswer& answer, std::string_view what) {
  return {"response", fmt::format("the answer has no {}: {}", what,
                                  excerpt(answer.json("").value_or(""), kExcerptCharacters))};
}

std::string percent_encoded(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain =
        byte < 128 && (std::isalnum(byte) != 0 || c == '-' || c == '.' || c == '_' || c == '~');
    result += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return result;
}

}  // namespace coppice::services
