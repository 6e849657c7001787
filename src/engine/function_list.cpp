#include "engine/function_list.h"

#include "engine/emit.h"
#include "exec/functions.h"
#include "workers/signature.h"

namespace coppice::engine {
namespace {

std::string volatility_name(Volatility volatility) {
  switch (volatility) {
    case Volatility::kImmutable:
      return "IMMUTABLE";
    case Volatility::kStable:
      return "STABLE";
    case Volatility::kVolatile:
      return "VOLATILE";
  }
  return "VOLATILE";
}

}  // namespace

void list_functions(ResultSink& sink) {
  RowsOut rows(
      sink,
      {{"function", "text"}, {"result", "text"}, {"volatility", "text"}, {"summary", "text"}});
  for (const Signature& signature : builtin_signatures()) {
    rows.row({exec::printed_signature(signature), sql_type_name(signature.result),
              volatility_name(signature.volatility), signature.summary});
  }
  rows.end();
}

}  // namespace coppice::engine
