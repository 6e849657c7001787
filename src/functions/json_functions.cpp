// The engine functions of JSON.
#include <nlohmann/json.hpp>

#include "functions/call.h"
#include "functions/failure.h"
#include "functions/json_items.h"
#include "functions/rows.h"

namespace coppice::functions {
namespace {

Operand elements(const Call& call) {
  const std::string items = call.json_text(0);
  IteratorRows rows(call.limits);
  if (is_json_null(items)) return rows.give();
  for (const std::string_view item : json_items(items, "elements()")) {
    rows.add_text("{\"element\":" + std::string(item) + "}");
  }
  return rows.give();
}

}  // namespace

void add_json_functions(Implementations& all) { all["elements(jsonb)"] = elements; }

}  // namespace coppice::functions
