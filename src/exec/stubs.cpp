#include "exec/stubs.h"

#include <vector>

#include "base/sha256.h"
#include "exec/functions.h"
#include "pg/conninfo.h"

namespace coppice::exec {
namespace {

// Recognises our stubs among the functions of the schema, and holds their declaration, so that a
// stub whose declaration changed is found (OR REPLACE cannot change names, defaults or results).
constexpr std::string_view kMarker = "/* coppice stub: ";

struct Stub {
  std::string name;         // coppice."width(image)"
  std::string declaration;  // coppice."width(image)"("image" coppice.image) RETURNS bigint
  std::string body;
};

std::string parameters_sql(const Signature& signature) {
  std::string text;
  for (const Parameter& parameter : signature.parameters) {
    if (!text.empty()) text += ", ";
    text += pg::quote_identifier(parameter.name) + " " + server_type_name(parameter.type);
    if (parameter.default_sql) text += " DEFAULT " + *parameter.default_sql;
  }
  return text;
}

Stub make_stub(const Signature& signature, const std::string& name) {
  Stub stub;
  stub.name = "coppice." + pg::quote_identifier(name);
  stub.declaration = stub.name + "(" + parameters_sql(signature) + ") RETURNS " +
                     server_type_name(signature.result);
  const std::string message = signature.name + "() needs Coppice";
  stub.body = std::string(kMarker) + stub.declaration +
              " */ BEGIN RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE = " +
              pg::quote_literal(message) +
              ", HINT = 'Engine functions run outside PostgreSQL: use coppice sql.'; END";
  return stub;
}

std::vector<Stub> make_stubs(std::span<const Signature> signatures) {
  std::vector<Stub> stubs;
  for (const Signature& signature : signatures) {
    stubs.push_back(make_stub(signature, signature.name));
    stubs.push_back(make_stub(signature, stub_name(signature)));
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

}  // namespace

std::string stubs_sql(std::span<const Signature> signatures) {
  const std::vector<Stub> stubs = make_stubs(signatures);
  std::string script = drop_outdated_sql(stubs);
  for (const Stub& stub : stubs) {
    script += "CREATE OR REPLACE FUNCTION " + stub.declaration + " LANGUAGE plpgsql VOLATILE AS " +
              pg::quote_literal(stub.body) + ";\n";
  }
  return script;
}

std::string stubs_digest(std::span<const Signature> signatures) {
  return to_hex(sha256(stubs_sql(signatures)));
}

}  // namespace coppice::exec
