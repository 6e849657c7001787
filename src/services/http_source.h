// ServiceSource: what AS '…' of a function of LANGUAGE http says.
//
// Source   docs/formats/http_functions.md
// Errors   kUsage, naming what there is.
#pragma once

#include <string>
#include <string_view>

namespace coppice::services {

enum class ServiceKind {
  kOpenAiChat,
  kOpenAiEmbeddings,
  kAnthropicMessages,
  kGeminiGenerate,
  kJson
};

struct ServiceSource {
  ServiceKind kind = ServiceKind::kJson;
  std::string model;    // empty for kJson
  std::string address;  // of kJson: a URL, or a path that begins with '/'

  // Of a model that is asked in words: kOpenAiChat, kAnthropicMessages, kGeminiGenerate.
  bool is_chat() const {
    return kind != ServiceKind::kJson && kind != ServiceKind::kOpenAiEmbeddings;
  }
  bool is_json() const { return kind == ServiceKind::kJson; }
};

ServiceSource parse_source(std::string_view text);

// "openai", "anthropic", "gemini", "json": the section of its settings in config.toml.
std::string_view service_name(ServiceKind kind);

}  // namespace coppice::services
