#include "engine/function_draft.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "engine/schema_text.h"
#include "engine/user_function.h"
#include "sql/deparse.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using sql::as;
using sql::Node;

constexpr std::array<std::string_view, 7> kLanguages = {"python",  "command",  "http", "sql",
                                                        "plpgsql", "internal", "c"};
constexpr int kSupportedLanguages = 5;  // of them, from the first
// Names of stubs are at most 63 bytes long, and begin with these.
constexpr std::size_t kLongestName = 44;

struct TypeAlias {
  std::string_view server;  // as type_text() writes it
  ValueType type;
};

constexpr std::array kAliases = {TypeAlias{"smallint", ValueType::kInteger},
                                 TypeAlias{"integer", ValueType::kInteger},
                                 TypeAlias{"real", ValueType::kFloat},
                                 TypeAlias{"double precision", ValueType::kFloat},
                                 TypeAlias{"character varying", ValueType::kText},
                                 TypeAlias{"double precision[]", ValueType::kFloatArray}};

class DraftReader {
 public:
  DraftReader(const PgQuery__CreateFunctionStmt& create, const sql::Statement& statement,
              FunctionLanguage language)
      : create_(create), statement_(statement) {
    draft_.signature.language = language;
  }

  FunctionDraft read() {
    Signature& signature = draft_.signature;
    draft_.replace = create_.replace;
    const sql::QualifiedName name = sql::qualified_name(create_.n_funcname, create_.funcname);
    signature.schema = name.schema.empty() ? "public" : name.schema;
    signature.name = name.name;
    check_name();
    for (Node* const item : sql::nodes(create_.n_parameters, create_.parameters)) {
      read_parameter(*as<PgQuery__FunctionParameter>(item));
    }
    if (create_.return_type == nullptr) {
      fail(ErrorCode::kUsage, 0, "the function has no result", "say RETURNS and a type");
    }
    signature.result = type_of(*create_.return_type);
    signature.volatility = Volatility::kVolatile;  // as in PostgreSQL
    for (Node* const item : sql::nodes(create_.n_options, create_.options)) {
      read_option(*as<PgQuery__DefElem>(item));
    }
    if (draft_.source.empty()) {
      fail(ErrorCode::kUsage, 0, "the function has no AS", source_hint());
    }
    // Those of a service depend on which it is: check_service_function().
    if (signature.language != FunctionLanguage::kHttp) {
      read_function_settings(draft_.settings, signature.language);
    }
    signature.id = function_id({signature.schema, signature.name}, signature.parameters);
    return std::move(draft_);
  }

 private:
  const char* source_hint() const {
    switch (draft_.signature.language) {
      case FunctionLanguage::kPython:
        return "name its file and function: AS 'captions.py:caption'";
      case FunctionLanguage::kHttp:
        return "name the service and its model: AS 'openai:chat/MODEL'";
      default:
        return "give the program and its arguments: AS 'wc -w {0}'";
    }
  }

  [[noreturn]] void fail(ErrorCode code, std::ptrdiff_t location, const std::string& what,
                         const std::string& hint = {}) const {
    throw statement_.error(code, std::max<std::ptrdiff_t>(location, 0), what, hint);
  }

  // The id of a function is its name and types; messages take it apart again.
  void check_name() const {
    const Signature& signature = draft_.signature;
    for (const std::string& name : {signature.schema, signature.name}) {
      if (name.find_first_of(".()\",:;~' ") == std::string::npos) continue;
      fail(ErrorCode::kUnsupported, 0,
           fmt::format("\"{}\" cannot be part of a function's name", name),
           "use letters, digits and underscores");
    }
    if (signature.schema.size() + signature.name.size() < kLongestName) return;
    fail(ErrorCode::kUnsupported, 0,
         fmt::format("the names \"{}\" and \"{}\" are too long together", signature.schema,
                     signature.name),
         fmt::format("a function's schema and name have {} bytes at most", kLongestName - 1));
  }

  ValueType type_of(const PgQuery__TypeName& type) const {
    if (type.setof) {
      fail(ErrorCode::kUnsupported, type.location, "a function of this language gives one value",
           "return a jsonb or an array, and take it apart in the query");
    }
    const std::string text = sql::type_text(type);
    if (const auto known = worker_type(text)) return *known;
    fail(ErrorCode::kUnsupported, type.location,
         fmt::format("type {} does not travel to such a function", text), type_hint(text));
  }

  static std::string type_hint(const std::string& text) {
    if (text.starts_with("numeric")) return "take it as float8, or exactly as text";
    if (text == "json") return "use jsonb";
    return "there are boolean, bigint, float8, text, jsonb, float8[], real[], image, video, audio "
           "and document; pass others as text: value::text";
  }

  void read_parameter(const PgQuery__FunctionParameter& parameter) {
    const std::int32_t location = parameter.arg_type->location;
    if (parameter.mode != PG_QUERY__FUNCTION_PARAMETER_MODE__FUNC_PARAM_IN &&
        parameter.mode != PG_QUERY__FUNCTION_PARAMETER_MODE__FUNC_PARAM_DEFAULT) {
      const bool table = parameter.mode == PG_QUERY__FUNCTION_PARAMETER_MODE__FUNC_PARAM_TABLE;
      fail(ErrorCode::kUnsupported, location,
           fmt::format("{} cannot be part of a function of this language",
                       table ? "RETURNS TABLE" : "an OUT, INOUT or VARIADIC parameter"),
           "return a jsonb or an array, and take it apart in the query");
    }
    Parameter read;
    read.name = parameter.name == nullptr ? "" : parameter.name;
    if (read.name.empty()) {
      fail(ErrorCode::kUsage, location, "a parameter has no name", "write: name type");
    }
    read.type = type_of(*parameter.arg_type);
    if (parameter.defexpr != nullptr) read.default_sql = default_of(parameter);
    draft_.signature.parameters.push_back(std::move(read));
  }

  std::string default_of(const PgQuery__FunctionParameter& parameter) const {
    const Node* value = parameter.defexpr;
    while (const auto* cast = as<PgQuery__TypeCast>(value)) value = cast->arg;
    const auto* sign = as<PgQuery__AExpr>(value);
    if (sign != nullptr && sign->lexpr == nullptr) value = sign->rexpr;
    if (as<PgQuery__AConst>(value) == nullptr) {
      fail(ErrorCode::kUnsupported, parameter.arg_type->location,
           fmt::format("the default of \"{}\" is not a constant", parameter.name),
           "write a literal: DEFAULT 'en'");
    }
    return sql::deparse_expression(parameter.defexpr);
  }

  void read_option(const PgQuery__DefElem& option) {
    const std::string_view name = option.defname;
    if (name == "language") return;
    if (name == "as") return read_source(option);
    if (name == "volatility") return read_volatility(option);
    if (name == "set") return read_setting(option);
    if (name == "strict") return read_strict(option);
    if (name == "security" && sql::option_value(option.arg) == "false") return;  // the default
    fail(ErrorCode::kUnsupported, option.location,
         fmt::format("{} has no meaning for a function that Coppice runs", words_of(name)),
         "leave it out");
  }

  static std::string words_of(std::string_view option) {
    if (option == "security") return "SECURITY DEFINER";
    std::string text(option);
    for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return text;
  }

  void read_source(const PgQuery__DefElem& option) {
    const auto* list = as<PgQuery__List>(option.arg);
    if (list == nullptr || list->n_items != 1) {
      fail(ErrorCode::kUnsupported, option.location, "AS takes one text here");
    }
    draft_.source = as<PgQuery__String>(list->items[0])->sval;
  }

  void read_volatility(const PgQuery__DefElem& option) {
    const std::string word = sql::option_value(option.arg).value_or("");
    draft_.signature.volatility = word == "immutable" ? Volatility::kImmutable
                                  : word == "stable"  ? Volatility::kStable
                                                      : Volatility::kVolatile;
  }

  // The engine calls no function with NULL.
  void read_strict(const PgQuery__DefElem& option) const {
    const std::string strict = sql::option_value(option.arg).value_or("true");
    if (strict == "true" || strict == "1") return;
    fail(ErrorCode::kUnsupported, option.location,
         "CALLED ON NULL INPUT is not supported: a call with a NULL argument is NULL",
         "give a value in its place: coalesce(argument, '')");
  }

  void read_setting(const PgQuery__DefElem& option) {
    const auto& set = *as<PgQuery__VariableSetStmt>(option.arg);
    const std::string name = lower(set.name == nullptr ? "" : set.name);
    if (set.kind != PG_QUERY__VARIABLE_SET_KIND__VAR_SET_VALUE || set.n_args == 0) {
      fail(ErrorCode::kUsage, option.location, fmt::format("SET {} needs a value", name));
    }
    std::vector<std::string> values;
    for (Node* const value : sql::nodes(set.n_args, set.args)) {
      values.push_back(setting_value(value));
    }
    if (!draft_.settings.emplace(name, join(values, ",")).second) {
      fail(ErrorCode::kUsage, option.location, fmt::format("SET {} stands there twice", name));
    }
  }

  static std::string setting_value(const Node* node) {
    if (const auto* constant = as<PgQuery__AConst>(node)) {
      if (constant->val_case == PG_QUERY__A__CONST__VAL_FVAL) return constant->fval->fval;
      if (const auto number = sql::integer_value(node)) return std::to_string(*number);
      if (const auto text = sql::string_value(node)) return *text;
    }
    return sql::deparse_expression(node);
  }

  const PgQuery__CreateFunctionStmt& create_;
  const sql::Statement& statement_;
  FunctionDraft draft_;
};

std::string parameter_list(const Signature& signature, bool with_defaults) {
  std::vector<std::string> items;
  for (const Parameter& parameter : signature.parameters) {
    std::string item = sql::quote_identifier(parameter.name) + " " + sql_type_name(parameter.type);
    if (with_defaults && parameter.default_sql) item += " DEFAULT " + *parameter.default_sql;
    items.push_back(std::move(item));
  }
  return join(items, ", ");
}

}  // namespace

std::string volatility_words(Volatility volatility) {
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

std::string function_language(const PgQuery__CreateFunctionStmt& create) {
  for (Node* const item : sql::nodes(create.n_options, create.options)) {
    const auto& option = *as<PgQuery__DefElem>(item);
    if (std::string_view(option.defname) != "language") continue;
    return lower(sql::option_value(option.arg).value_or(""));
  }
  return create.sql_body != nullptr ? "sql" : "";
}

std::optional<ValueType> worker_type(std::string type) {
  if (type.starts_with("coppice.")) type.erase(0, 8);
  for (const TypeAlias& alias : kAliases) {
    if (alias.server == type) return alias.type;
  }
  return value_type_named(type);
}

std::optional<FunctionDraft> read_function(const PgQuery__CreateFunctionStmt& create,
                                           const sql::Statement& statement) {
  const std::string language = function_language(create);
  if (language == "python") {
    return DraftReader(create, statement, FunctionLanguage::kPython).read();
  }
  if (language == "command") {
    return DraftReader(create, statement, FunctionLanguage::kCommand).read();
  }
  if (language == "http") {
    return DraftReader(create, statement, FunctionLanguage::kHttp).read();
  }
  if (language == "sql" || language == "plpgsql") return std::nullopt;
  const std::string what = language.empty() ? "the function has no LANGUAGE"
                                            : fmt::format("LANGUAGE {} is not supported", language);
  const std::vector<std::string> known(kLanguages.begin(),
                                       kLanguages.begin() + kSupportedLanguages);
  const std::string meant = did_you_mean(language, known);
  throw statement.error(ErrorCode::kUnsupported, 0, what,
                        meant.empty() ? "there are: " + join(known, ", ") : meant);
}

std::string create_function_text(const FunctionDraft& draft) {
  const Signature& signature = draft.signature;
  std::string text =
      fmt::format("CREATE {}FUNCTION {}({})\n  RETURNS {} LANGUAGE {} {} AS {}",
                  draft.replace ? "OR REPLACE " : "",
                  shown_name({signature.schema, signature.name}), parameter_list(signature, true),
                  sql_type_name(signature.result), language_name(signature.language),
                  volatility_words(signature.volatility), sql::quote_literal(draft.source));
  for (const auto& [name, value] : draft.settings) {
    text += fmt::format("\n  SET {} = {}", name, sql::quote_literal(value));
  }
  return text;
}

std::string function_reference(const Signature& signature) {
  return fmt::format("{}({})", shown_name({signature.schema, signature.name}),
                     parameter_list(signature, false));
}

}  // namespace coppice::engine
