// FunctionDraft: CREATE FUNCTION for LANGUAGE python and command, as the statement says it.
//
// Errors   kUnsupported for what such a function cannot have (OUT parameters, SETOF, COST, …),
// kUsage
//          for unknown settings and malformed sources; with the place in the statement.
#pragma once

#include <optional>
#include <string>

#include "engine/function_settings.h"
#include "sql/names.h"
#include "sql/parse.h"
#include "workers/signature.h"

namespace coppice::engine {

struct FunctionDraft {
  Signature signature;  // its schema is "public" when the statement names none
  std::string source;   // AS '…'
  SettingTexts settings;
  bool replace = false;
};

// The language, in lower case: "python", "sql", …; LANGUAGE is not given with RETURN and BEGIN
// ATOMIC, which are SQL.
std::string function_language(const PgQuery__CreateFunctionStmt& create);

// nullopt for the languages of PostgreSQL itself.
std::optional<FunctionDraft> read_function(const PgQuery__CreateFunctionStmt& create,
                                           const sql::Statement& statement);

// The type that workers take for one that type_text() writes: bigint for integer; nullopt: none.
std::optional<ValueType> worker_type(std::string type);

// "IMMUTABLE", "STABLE", "VOLATILE".
std::string volatility_words(Volatility volatility);

// As SQL that read_function() reads.
std::string create_function_text(const FunctionDraft& draft);
// "caption(picture image, lang text)": as DROP and COMMENT name it.
std::string function_reference(const Signature& signature);

}  // namespace coppice::engine
