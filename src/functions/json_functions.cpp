// The engine functions of JSON.
#include <nlohmann/json.hpp>

#include "functions/call.h"
#include "functions/failure.h"
#include "functions/rows.h"

namespace coppice::functions {
namespace {

Operand elements(const Call& call) {
  const nlohmann::json items = call.json(0);
  IteratorRows rows(call.limits);
  if (items.is_null()) return rows.give();
  if (!items.is_array()) {
    throw FunctionFailure("type", std::string("elements() takes a JSON array, not ") +
                                      (items.is_object() ? "an object" : "a single value"));
  }
  for (const nlohmann::json& element : items) rows.add({{"element", element}});
  return rows.give();
}

}  // namespace

void add_json_functions(Implementations& all) { all["elements(jsonb)"] = elements; }

}  // namespace coppice::functions
