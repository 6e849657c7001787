// UserFunction: an engine function that a user made with CREATE FUNCTION, as the catalog keeps it.
//
// Model    One overload has one current version; CREATE OR REPLACE makes the next. Code is named by
//          the digest of what was copied into the home when it was made (function_code.h).
//          UserFunctions are those of the home as this process last read them. Every change bumps a
//          number in coppice.meta, by which other processes see that theirs are out of date.
// Threads  As the context's main connection.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/function_settings.h"
#include "exec/functions.h"
#include "pg/connection.h"
#include "sql/names.h"
#include "workers/signature.h"

namespace coppice::engine {

struct UserFunction {
  Signature signature;
  std::int64_t version = 1;
  std::string source;                      // AS '…', as the user wrote it
  std::optional<std::string> source_file;  // the file that was copied, where it was then
  SettingTexts settings;
  std::string digest;              // of the code; of the command's words when nothing was copied
  bool batched = false;            // takes lists
  std::vector<std::string> words;  // of a command
  std::optional<std::string> comment;
  std::string created_at;

  sql::QualifiedName name() const { return {signature.schema, signature.name}; }
};

class UserFunctions {
 public:
  // Reads them again when another process, or this one, has changed them. True when it did.
  bool refresh(pg::Connection& connection);

  const std::vector<UserFunction>& all() const { return functions_; }
  const UserFunction* find(const std::string& id) const;
  std::vector<const UserFunction*> named(const sql::QualifiedName& name) const;
  // With the built-in ones. Its signatures are borrowed from here.
  exec::FunctionTable table() const;

 private:
  std::string generation_;
  std::vector<UserFunction> functions_;
};

// "public.caption(image,text)"
std::string function_id(const sql::QualifiedName& name, const std::vector<Parameter>& parameters);
// nullopt for names that are not of a type that workers take.
std::optional<ValueType> value_type_named(const std::string& name);

// In a transaction, with everything else that the change needs.
void keep_function(pg::Connection& connection, UserFunction& function);  // sets its version
void forget_function(pg::Connection& connection, const std::string& id);
void comment_on_function(pg::Connection& connection, const std::string& id,
                         const std::optional<std::string>& comment);

}  // namespace coppice::engine
