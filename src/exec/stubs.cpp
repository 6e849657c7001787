#include "exec/stubs.h"

#include <algorithm>
#include <vector>

#include "base/sha256.h"
#include "exec/functions.h"
#include "pg/conninfo.h"

namespace coppice::exec {
namespace {

// Recognises our stubs among the functions of the schema, and holds their declaration, so that a
// stub whose declaration changed is found (OR REPLACE cannot change names, defaults or results).
constexpr std::string_view kMarker = "/* coppice stub: ";
// Stubs of users' functions are not among those that come and go with a release.
constexpr std::string_view kUserMarker = "/* stub of a user's function: ";
constexpr const char* kSchema = "coppice";

struct Stub {
  std::string name;         // coppice."width(image)"
  std::string declaration;  // coppice."width(image)"("image" coppice.image) RETURNS bigint
  std::string body;
};

// To PostgreSQL the columns of an iterator are parameters too, and no two may have one name. Calls
// are bound by place, so a parameter's name in the stub is for people only.
std::string parameter_name(const Signature& signature, const Parameter& parameter) {
  const bool is_column =
      std::any_of(signature.columns.begin(), signature.columns.end(),
                  [&](const IteratorColumn& column) { return column.name == parameter.name; });
  return is_column ? parameter.name + "_" : parameter.name;
}

std::string parameters_sql(const Signature& signature) {
  std::string text;
  for (const Parameter& parameter : signature.parameters) {
    if (!text.empty()) text += ", ";
    text += pg::quote_identifier(parameter_name(signature, parameter)) + " " +
            server_type_name(parameter.type);
    if (parameter.default_sql) text += " DEFAULT " + *parameter.default_sql;
  }
  return text;
}

// Of an iterator a table: so PostgreSQL type-checks what reads its columns.
std::string result_sql(const Signature& signature) {
  if (!signature.is_iterator()) return server_type_name(signature.result);
  std::string text = "TABLE(pos bigint";
  for (const IteratorColumn& column : signature.columns) {
    text += ", " + pg::quote_identifier(column.name) + " " + server_type_name(column.type);
  }
  return text + ")";
}

Stub make_stub(const Signature& signature, const std::string& schema, const std::string& name,
               std::string_view marker = kMarker) {
  Stub stub;
  stub.name = pg::quote_identifier(schema) + "." + pg::quote_identifier(name);
  stub.declaration =
      stub.name + "(" + parameters_sql(signature) + ") RETURNS " + result_sql(signature);
  const std::string message = signature.name + "() needs Coppice";
  stub.body = std::string(marker) + stub.declaration +
              " */ BEGIN RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE = " +
              pg::quote_literal(message) +
              ", HINT = 'Engine functions run outside PostgreSQL: use coppice sql.'; END";
  return stub;
}

std::vector<Stub> make_stubs(std::span<const Signature> signatures) {
  std::vector<Stub> stubs;
  for (const Signature& signature : signatures) {
    stubs.push_back(make_stub(signature, kSchema, signature.name));
    stubs.push_back(make_stub(signature, kSchema, stub_name(signature)));
  }
  return stubs;
}

// Drops our functions whose body is not one of `stubs`.
std::string drop_outdated_sql(const std::vector<Stub>& stubs) {
  std::string bodies;
  for (const Stub& stub : stubs) {
    bodies += (bodies.empty() ? "" : ", ") + pg::quote_literal(stub.body);
  }
  const std::string code =
      "DECLARE outdated regprocedure; BEGIN FOR outdated IN SELECT p.oid FROM pg_proc p JOIN "
      "pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'coppice' AND starts_with("
      "p.prosrc, " +
      pg::quote_literal(kMarker) + ") AND p.prosrc <> ALL (ARRAY[" + bodies +
      "]::text[]) LOOP EXECUTE 'DROP FUNCTION ' || outdated; END LOOP; END";
  return "DO " + pg::quote_literal(code) + ";\n";
}

std::vector<Stub> make_user_stubs(const Signature& signature) {
  return {make_stub(signature, signature.schema, signature.name, kUserMarker),
          make_stub(signature, kSchema, stub_name(signature), kUserMarker)};
}

std::string create_sql(const Stub& stub, bool replace) {
  return std::string(replace ? "CREATE OR REPLACE" : "CREATE") + " FUNCTION " + stub.declaration +
         " LANGUAGE plpgsql VOLATILE AS " + pg::quote_literal(stub.body) + ";\n";
}

}  // namespace

std::string user_stubs_sql(const Signature& signature, bool replace) {
  std::string script;
  for (const Stub& stub : make_user_stubs(signature)) script += create_sql(stub, replace);
  return script;
}

std::string drop_user_stubs_sql(const Signature& signature) {
  std::string types;
  for (const Parameter& parameter : signature.parameters) {
    types += (types.empty() ? "" : ", ") + server_type_name(parameter.type);
  }
  std::string script;
  for (const Stub& stub : make_user_stubs(signature)) {
    script += "DROP FUNCTION " + stub.name + "(" + types + ");\n";
  }
  return script;
}

std::string stubs_sql(std::span<const Signature> signatures) {
  const std::vector<Stub> stubs = make_stubs(signatures);
  std::string script = drop_outdated_sql(stubs);
  for (const Stub& stub : stubs) script += create_sql(stub, true);
  return script;
}

std::string stubs_digest(std::span<const Signature> signatures) {
  return to_hex(sha256(stubs_sql(signatures)));
}

}  // namespace coppice::exec
