#include "workers/builtin_tables.h"

#include <utility>

namespace coppice {
namespace {

std::string id_of(const std::string& name, const std::vector<Parameter>& parameters) {
  std::string types;
  for (const Parameter& parameter : parameters) {
    types += (types.empty() ? "" : ",") + sql_type_name(parameter.type);
  }
  return name + "(" + types + ")";
}

}  // namespace

Signature builtin_function(std::string name, std::vector<Parameter> parameters, ValueType result,
                           std::string summary) {
  Signature signature;
  signature.id = id_of(name, parameters);
  signature.name = std::move(name);
  signature.parameters = std::move(parameters);
  signature.result = result;
  signature.summary = std::move(summary);
  return signature;
}

}  // namespace coppice
