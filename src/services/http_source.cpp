#include "services/http_source.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace coppice::services {
namespace {

struct Known {
  std::string_view prefix;
  ServiceKind kind;
  std::string_view example;
};

constexpr std::array kKnown = {
    Known{"openai:chat/", ServiceKind::kOpenAiChat, "openai:chat/MODEL"},
    Known{"openai:embeddings/", ServiceKind::kOpenAiEmbeddings, "openai:embeddings/MODEL"},
    Known{"anthropic:messages/", ServiceKind::kAnthropicMessages, "anthropic:messages/MODEL"},
    Known{"gemini:generateContent/", ServiceKind::kGeminiGenerate, "gemini:generateContent/MODEL"},
    Known{"json:", ServiceKind::kJson, "json:https://host/path"},
};

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 32 && c != 127; });
}

[[noreturn]] void refuse(std::string_view text, std::string_view why) {
  throw Error(ErrorCode::kUsage, fmt::format("AS '{}': {}", text, why),
              "see docs/formats/http_functions.md");
}

void check_address(std::string_view text, std::string_view address) {
  if (address.starts_with('/') && !address.starts_with("//")) return;
  if (!starts_with_ignoring_case(address, "https://") &&
      !starts_with_ignoring_case(address, "http://")) {
    refuse(text, "json: is followed by an http(s) URL, or by a path that begins with /");
  }
  const std::size_t host = address.find("://") + 3;
  const std::size_t path = std::min(address.find_first_of("/?#", host), address.size());
  const std::string_view authority = address.substr(host, path - host);
  if (authority.empty()) refuse(text, "the URL names no host");
  if (authority.find('@') != std::string_view::npos) {
    refuse(text, "the URL holds a user or password; say SET key = 'env:NAME' instead");
  }
  if (authority.find('{') != std::string_view::npos) {
    refuse(text, "placeholders may stand behind the host only");
  }
}

}  // namespace

ServiceSource parse_source(std::string_view text) {
  std::vector<std::string> examples;
  for (const Known& known : kKnown) {
    examples.emplace_back(known.example);
    if (!text.starts_with(known.prefix)) continue;
    const std::string_view rest = text.substr(known.prefix.size());
    if (rest.empty()) refuse(text, fmt::format("it ends early: {}", known.example));
    if (!is_plain(rest)) refuse(text, "there is a blank or control character in it");
    ServiceSource source;
    source.kind = known.kind;
    if (source.is_json()) check_address(text, rest);
    (source.is_json() ? source.address : source.model) = rest;
    return source;
  }
  throw Error(ErrorCode::kUsage, fmt::format("AS '{}' names no service that is known", text),
              "there are: " + join(examples, ", "));
}

std::string_view service_name(ServiceKind kind) {
  switch (kind) {
    case ServiceKind::kOpenAiChat:
    case ServiceKind::kOpenAiEmbeddings:
      return "openai";
    case ServiceKind::kAnthropicMessages:
      return "anthropic";
    case ServiceKind::kGeminiGenerate:
      return "gemini";
    case ServiceKind::kJson:
      return "json";
  }
  return "json";
}

}  // namespace coppice::services
