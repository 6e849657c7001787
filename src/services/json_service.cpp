// Any service that takes and gives JSON: a template for the body, a pointer into the answer.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "services/chat_parts.h"
#include "services/packed_array.h"

namespace coppice::services {
namespace {

using nlohmann::json;

constexpr std::uint64_t kFileLimit = 32 << 20;

// A media argument is read once a request, however often it stands in the templates.
class CallValues {
 public:
  CallValues(const Arguments& call, const MediaStore* media)
      : call_(call), media_(media), files_(call.size()) {}

  const std::optional<CellFailure>& failure() const { return failure_; }

  std::string text(const TextTemplate::Piece& piece) {
    if (piece.argument < 0) return piece.text;
    const Value& value = at(piece);
    if (!is_media(value.type)) return value_text(value);
    const Attachment& file = attachment(piece);
    return piece.mime_type ? file.mime : file.base64;
  }

  // In its own JSON type.
  json as_json(const TextTemplate::Piece& piece) {
    const Value& value = at(piece);
    switch (value.type) {
      case ValueType::kBoolean:
        return value.boolean;
      case ValueType::kInteger:
        return value.integer;
      case ValueType::kFloat:
        return value.number;
      case ValueType::kJson:
        return json::parse(value.text, nullptr, false);
      case ValueType::kFloatArray:
      case ValueType::kRealArray:
        return json::parse(array_json(value), nullptr, false);
      default:
        return text(piece);
    }
  }

 private:
  const Value& at(const TextTemplate::Piece& piece) const {
    return *call_[static_cast<std::size_t>(piece.argument)];
  }
  const Attachment& attachment(const TextTemplate::Piece& piece) {
    auto& file = files_[static_cast<std::size_t>(piece.argument)];
    if (file) return *file;
    file.emplace();
    auto read = read_attachment(*media_, at(piece), {}, kFileLimit);
    if (auto* failed = std::get_if<CellFailure>(&read)) {
      failure_ = std::move(*failed);
    } else {
      *file = std::move(std::get<Attachment>(read));
    }
    return *file;
  }

  const Arguments& call_;
  const MediaStore* media_;
  std::vector<std::optional<Attachment>> files_;
  std::optional<CellFailure> failure_;
};

class JsonService final : public ServiceForm {
 public:
  explicit JsonService(const FormRequest& from)
      : parameters_(from.signature.parameters),
        result_(from.signature.result),
        settings_(from.settings),
        media_(from.media),
        address_(parse_template(settings_.base_url + from.source.address, parameters_, "AS")),
        body_(body_template()) {
    if (is_media(result_)) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("a service gives text, numbers or JSON, not {}",
                              kind_with_article(*kind_from_name(sql_type_name(result_)))),
                  "a LANGUAGE python function can fetch what the answer points to");
    }
    std::vector<bool> used(parameters_.size());
    note_uses(address_, used);
    for (const TextTemplate::Piece& piece : address_.pieces) {
      if (piece.argument >= 0 &&
          is_media(parameters_[static_cast<std::size_t>(piece.argument)].type)) {
        throw Error(ErrorCode::kUsage, "AS: an address takes no media");
      }
    }
    if (!body_.is_null()) check_body(body_, used);
    require_all_used(used, parameters_, "AS and SET body");
  }

  std::variant<HttpRequest, CellFailure> request(std::span<const Arguments> calls) const override {
    CallValues values(calls[0], media_);
    std::string url;
    for (const TextTemplate::Piece& piece : address_.pieces) {
      url += piece.argument < 0 ? piece.text : percent_encoded(values.text(piece));
    }
    std::string body;
    if (!body_.is_null()) {
      const json filled = fill(body_, values);
      if (values.failure()) return *values.failure();
      body = filled.dump(-1, ' ', false, json::error_handler_t::replace);
    }
    HttpRequest request = json_post(url, std::move(body));
    request.method = settings_.method;
    if (body_.is_null()) request.headers = {{"Accept", "application/json"}};
    return request;
  }

  Answer read(const JsonAnswer& answer, std::size_t) const override {
    Cell result = cell(answer);
    const auto* const value = std::get_if<Value>(&result);
    if (value != nullptr && (value->type == ValueType::kText || value->type == ValueType::kJson) &&
        holds_nul(*value)) {
      result = CellFailure{"response", "the answer holds the character NUL"};
    }
    return {{std::move(result)}, {}};
  }

  std::pair<std::string, std::string> key_header(const std::string& key) const override {
    return {"Authorization", "Bearer " + key};
  }

  bool retries_conflicts() const override { return false; }

 private:
  json body_template() const {
    if (settings_.has_body) {
      json body = json::parse(settings_.body, nullptr, false);
      if (body.is_discarded()) {
        throw Error(ErrorCode::kUsage, "SET body: JSON is wanted",
                    R"(placeholders stand in strings, numbers too: {"count": "{n}"})");
      }
      return body;
    }
    if (settings_.method == "GET" || settings_.method == "DELETE") return nullptr;
    json body = json::object();
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      body[parameters_[i].name] = fmt::format("{{{}}}", i);
    }
    return body;
  }

  void check_body(const json& node, std::vector<bool>& used) const {
    if (node.is_string()) {
      note_uses(parse_template(node.get<std::string>(), parameters_, "SET body"), used);
    }
    if (!node.is_structured()) return;
    for (const json& child : node) check_body(child, used);
  }

  json fill(const json& node, CallValues& values) const {
    if (node.is_string()) {
      const TextTemplate text =
          parse_template(node.get_ref<const std::string&>(), parameters_, "SET body");
      if (text.is_one_argument()) return values.as_json(text.pieces[0]);
      std::string whole;
      for (const TextTemplate::Piece& piece : text.pieces) whole += values.text(piece);
      return whole;
    }
    if (!node.is_structured()) return node;
    json filled = node;
    for (auto child = filled.begin(); child != filled.end(); ++child) {
      *child = fill(*child, values);
    }
    return filled;
  }

  Cell cell(const JsonAnswer& answer) const {
    const std::string& pointer = settings_.result;
    if (answer.is_null(pointer)) return Value{};
    if (!answer.has(pointer)) return unexpected(answer, pointer);
    Value value;
    value.type = result_;
    bool fits = false;
    const auto take = [&](auto found, auto& to) {
      if (found) to = std::move(*found);
      fits = found.has_value();
    };
    switch (result_) {
      case ValueType::kBoolean:
        take(answer.boolean(pointer), value.boolean);
        break;
      case ValueType::kInteger:
        take(answer.integer(pointer), value.integer);
        break;
      case ValueType::kFloat:
        take(answer.number(pointer), value.number);
        break;
      case ValueType::kText: {
        const auto text = answer.text(pointer);
        take(text ? text : answer.json(pointer), value.text);
        break;
      }
      case ValueType::kFloatArray:
      case ValueType::kRealArray:
        if (const auto numbers = answer.numbers(pointer)) return pack_array(*numbers, result_);
        break;
      default:
        take(answer.json(pointer), value.text);
        break;
    }
    if (fits) return value;
    return CellFailure{
        "response",
        fmt::format("{} is not a {}: {}", pointer.empty() ? "the answer" : "\"" + pointer + "\"",
                    sql_type_name(result_), excerpt(answer.json(pointer).value_or(""), 80))};
  }

  std::vector<Parameter> parameters_;
  ValueType result_;
  HttpSettings settings_;
  const MediaStore* media_;
  TextTemplate address_;
  json body_;
};

}  // namespace

std::unique_ptr<ServiceForm> make_json_service(const FormRequest& from) {
  return std::make_unique<JsonService>(from);
}

}  // namespace coppice::services
