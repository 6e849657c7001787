#include "engine/user_function.h"

#include <fmt/core.h>

#include <array>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace coppice::engine {
namespace {

using nlohmann::json;

constexpr std::array kTypes = {ValueType::kBoolean,    ValueType::kInteger,  ValueType::kFloat,
                               ValueType::kText,       ValueType::kJson,     ValueType::kImage,
                               ValueType::kVideo,      ValueType::kAudio,    ValueType::kDocument,
                               ValueType::kFloatArray, ValueType::kRealArray};
constexpr std::array kLanguages = {FunctionLanguage::kPython, FunctionLanguage::kCommand,
                                   FunctionLanguage::kHttp};

std::string volatility_word(Volatility volatility) {
  switch (volatility) {
    case Volatility::kImmutable:
      return "immutable";
    case Volatility::kStable:
      return "stable";
    case Volatility::kVolatile:
      return "volatile";
  }
  return "volatile";
}

Volatility volatility_named(std::string_view word) {
  if (word == "immutable") return Volatility::kImmutable;
  return word == "stable" ? Volatility::kStable : Volatility::kVolatile;
}

std::string parameters_json(const std::vector<Parameter>& parameters) {
  json list = json::array();
  for (const Parameter& parameter : parameters) {
    json item = {{"name", parameter.name}, {"type", sql_type_name(parameter.type)}};
    if (parameter.default_sql) item["default"] = *parameter.default_sql;
    list.push_back(std::move(item));
  }
  return list.dump();
}

std::vector<Parameter> parameters_in(std::string_view text) {
  std::vector<Parameter> parameters;
  for (const json& item : json::parse(text)) {
    Parameter parameter{item.at("name"), *value_type_named(item.at("type")), {}};
    if (item.contains("default")) parameter.default_sql = item["default"].get<std::string>();
    parameters.push_back(std::move(parameter));
  }
  return parameters;
}

std::optional<std::string> optional_text(const pg::Result& rows, int row, int column) {
  if (const auto value = rows.value(row, column)) return std::string(*value);
  return std::nullopt;
}

UserFunction function_in(const pg::Result& rows, int row) {
  const auto text = [&](int column) { return std::string(rows.text(row, column)); };
  UserFunction function;
  Signature& signature = function.signature;
  signature.id = text(0);
  function.version = rows.integer(row, 1);
  signature.schema = text(2);
  signature.name = text(3);
  for (const FunctionLanguage language : kLanguages) {
    if (rows.text(row, 4) == language_name(language)) signature.language = language;
  }
  signature.parameters = parameters_in(rows.text(row, 5));
  signature.result = *value_type_named(text(6));
  signature.volatility = volatility_named(rows.text(row, 7));
  function.source = text(8);
  function.source_file = optional_text(rows, row, 9);
  function.settings = json::parse(rows.text(row, 10)).get<SettingTexts>();
  function.digest = text(11);
  function.batched = rows.boolean(row, 12);
  function.words = json::parse(rows.text(row, 13)).get<std::vector<std::string>>();
  function.comment = optional_text(rows, row, 14);
  signature.summary = function.comment.value_or("");
  function.created_at = text(15);
  return function;
}

void change_generation(pg::Connection& connection) {
  connection.exec(
      "INSERT INTO coppice.meta VALUES ('functions', '1') ON CONFLICT (key) DO UPDATE "
      "SET value = (meta.value::bigint + 1)::text");
}

}  // namespace

bool UserFunctions::refresh(pg::Connection& connection) {
  const pg::Result found =
      connection.exec_cached("SELECT value FROM coppice.meta WHERE key = 'functions'", {});
  const std::string generation = found.rows() == 0 ? "" : std::string(found.text(0, 0));
  if (generation == generation_) return false;
  const pg::Result rows = connection.exec(
      "SELECT function_id, version, schema_name, function_name, language, parameters, result, "
      "volatility, source, source_file, settings, digest, batched, words, comment, created_at "
      "FROM coppice.functions WHERE replaced_at IS NULL ORDER BY function_id");
  std::vector<UserFunction> functions;
  for (int row = 0; row < rows.rows(); ++row) functions.push_back(function_in(rows, row));
  functions_ = std::move(functions);
  generation_ = generation;
  return true;
}

const UserFunction* UserFunctions::find(const std::string& id) const {
  for (const UserFunction& function : functions_) {
    if (function.signature.id == id) return &function;
  }
  return nullptr;
}

std::vector<const UserFunction*> UserFunctions::named(const sql::QualifiedName& name) const {
  const std::string schema = name.schema.empty() ? "public" : name.schema;
  std::vector<const UserFunction*> found;
  for (const UserFunction& function : functions_) {
    if (function.signature.schema == schema && function.signature.name == name.name) {
      found.push_back(&function);
    }
  }
  return found;
}

exec::FunctionTable UserFunctions::table() const {
  std::vector<const Signature*> signatures;
  for (const UserFunction& function : functions_) signatures.push_back(&function.signature);
  return exec::FunctionTable(signatures);
}

std::string function_id(const sql::QualifiedName& name, const std::vector<Parameter>& parameters) {
  std::vector<std::string> types;
  for (const Parameter& parameter : parameters) types.push_back(sql_type_name(parameter.type));
  return fmt::format("{}.{}({})", name.schema, name.name, join(types, ","));
}

std::optional<ValueType> value_type_named(const std::string& name) {
  for (const ValueType type : kTypes) {
    if (sql_type_name(type) == name) return type;
  }
  return std::nullopt;
}

void keep_function(pg::Connection& connection, UserFunction& function) {
  const Signature& signature = function.signature;
  forget_function(connection, signature.id);
  function.version = connection
                         .exec_params(
                             "SELECT coalesce(max(version), 0) + 1 FROM coppice.functions "
                             "WHERE function_id = $1",
                             {signature.id})
                         .integer(0, 0);
  connection.exec_params(
      "INSERT INTO coppice.functions (function_id, version, schema_name, function_name, language, "
      "parameters, result, volatility, source, source_file, settings, digest, batched, words, "
      "comment) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
      {signature.id, std::to_string(function.version), signature.schema, signature.name,
       std::string(language_name(signature.language)), parameters_json(signature.parameters),
       sql_type_name(signature.result), volatility_word(signature.volatility), function.source,
       function.source_file, json(function.settings).dump(), function.digest,
       std::string(function.batched ? "t" : "f"), json(function.words).dump(), function.comment});
}

void forget_function(pg::Connection& connection, const std::string& id) {
  connection.exec_params(
      "UPDATE coppice.functions SET replaced_at = clock_timestamp() "
      "WHERE function_id = $1 AND replaced_at IS NULL",
      {id});
  change_generation(connection);
}

void comment_on_function(pg::Connection& connection, const std::string& id,
                         const std::optional<std::string>& comment) {
  connection.exec_params(
      "UPDATE coppice.functions SET comment = $2 WHERE function_id = $1 AND replaced_at IS NULL",
      {id, comment});
  change_generation(connection);
}

}  // namespace coppice::engine
