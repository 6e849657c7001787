#include "services/service_form.h"

#include "base/error.h"

namespace coppice::services {

std::unique_ptr<ServiceForm> make_form(const FormRequest& from) {
  if (from.signature.is_iterator()) {
    throw Error(ErrorCode::kUnsupported, "a function of LANGUAGE http gives one value a row");
  }
  switch (from.source.kind) {
    case ServiceKind::kOpenAiChat:
      return make_openai_chat(from);
    case ServiceKind::kOpenAiEmbeddings:
      return make_openai_embeddings(from);
    case ServiceKind::kAnthropicMessages:
      return make_anthropic_messages(from);
    case ServiceKind::kGeminiGenerate:
      return make_gemini_generate(from);
    case ServiceKind::kJson:
      return make_json_service(from);
  }
  throw Error(ErrorCode::kInternal, "a service without a form");
}

}  // namespace coppice::services
