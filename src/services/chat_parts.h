// What the three chat services have in common: the prompt, the files, the text that comes back.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>
#include <vector>

#include "services/attachment.h"
#include "services/service_form.h"
#include "services/text_template.h"

namespace coppice::services {

class ChatParts {
 public:
  // `accepted` is what the service takes; a parameter of a kind that is not in it is refused.
  ChatParts(const FormRequest& from, std::vector<Accepted> accepted);

  std::string prompt(const Arguments& call) const;
  std::variant<std::vector<Attachment>, CellFailure> attachments(const Arguments& call) const;

  // The text of an answer as a value of the function's type. `cut`: it ended at a limit of tokens.
  Cell result(const std::string& text, bool cut) const;
  CellFailure cut_failure() const;

  const HttpSettings& settings() const { return settings_; }
  const std::string& model() const { return model_; }
  const std::string& function_name() const { return name_; }
  bool wants_json() const { return result_ == ValueType::kJson; }
  // The schema, or null.
  nlohmann::json schema() const;
  // The body with SET parameters merged in, as text.
  std::string finished(nlohmann::json body) const;

 private:
  void check_kinds() const;

  std::string name_, model_;
  std::vector<Parameter> parameters_;
  ValueType result_;
  HttpSettings settings_;
  const MediaStore* media_;
  std::vector<Accepted> accepted_;
  TextTemplate prompt_;
};

// A POST of a JSON body.
HttpRequest json_post(const std::string& url, std::string body);

// "The service answered without …": type "response".
CellFailure unexpected(const JsonAnswer& answer, std::string_view what);

// Everything but letters, digits and "-._~" as %XX.
std::string percent_encoded(std::string_view text);

}  // namespace coppice::services
