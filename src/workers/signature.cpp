#include "workers/signature.h"

namespace coppice {

std::string_view language_name(FunctionLanguage language) {
  switch (language) {
    case FunctionLanguage::kBuiltin:
      return "built-in";
    case FunctionLanguage::kPython:
      return "python";
    case FunctionLanguage::kCommand:
      return "command";
    case FunctionLanguage::kHttp:
      return "http";
  }
  return "built-in";
}

}  // namespace coppice
