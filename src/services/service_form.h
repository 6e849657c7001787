// ServiceForm: how one service is asked, and how its answers are read.
//
// Model    request() makes one HTTP request for one call, or for as many as calls_per_request();
//          read() takes the body of a 2xx answer apart. Forms know nothing of keys, limits, retries
//          and connections. make_form() checks everything that can be checked before a call.
// Threads  Constant once made: every method may be called from any thread.
// Errors   make_form() throws kUsage. A call that cannot be sent, or an answer that makes no sense,
//          is a CellFailure.
// Source   docs/formats/http_functions.md; the services' own API references.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "media/store.h"
#include "net/http_client.h"
#include "services/http_settings.h"
#include "services/json_answer.h"
#include "workers/signature.h"

namespace coppice::services {

using Arguments = std::vector<const Value*>;  // one per parameter, none of them NULL

struct TokenCount {
  std::int64_t in = 0, out = 0;
};

struct Answer {
  std::vector<Cell> cells;  // one per call, or a single failure for all of them
  TokenCount tokens;
};

class ServiceForm {
 public:
  virtual ~ServiceForm() = default;

  virtual std::size_t calls_per_request() const { return 1; }
  virtual std::variant<HttpRequest, CellFailure> request(
      std::span<const Arguments> calls) const = 0;
  virtual Answer read(const JsonAnswer& answer, std::size_t call_count) const = 0;
  // How the key is sent.
  virtual std::pair<std::string, std::string> key_header(const std::string& key) const = 0;
  // 409 tells of a lock that will be free again, not of a conflict.
  virtual bool retries_conflicts() const { return true; }
};

struct FormRequest {
  const Signature& signature;
  const ServiceSource& source;
  const HttpSettings& settings;
  const MediaStore* media;  // borrowed by the form; nullptr when no call is going to be made
};

std::unique_ptr<ServiceForm> make_form(const FormRequest& from);

// Each in a file of its own.
std::unique_ptr<ServiceForm> make_openai_chat(const FormRequest& from);
std::unique_ptr<ServiceForm> make_openai_embeddings(const FormRequest& from);
std::unique_ptr<ServiceForm> make_anthropic_messages(const FormRequest& from);
std::unique_ptr<ServiceForm> make_gemini_generate(const FormRequest& from);
std::unique_ptr<ServiceForm> make_json_service(const FormRequest& from);

}  // namespace coppice::services
