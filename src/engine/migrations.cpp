#include "engine/migrations.h"

#include <fmt/core.h>

#include <charconv>

#include "base/sha256.h"
#include "base/text.h"
#include "catalog/catalog.h"
#include "catalog/schema.h"
#include "catalog/store_ddl.h"
#include "exec/stubs.h"
#include "pg/conninfo.h"
#include "pg/transaction.h"
#include "workers/signature.h"

namespace coppice::engine {
namespace {

// Any number that no other program is likely to use for pg_advisory_xact_lock.
constexpr std::string_view kMigrationLock = "4850187129";

// Throws when what failed is that the table of this name is somebody else's.
void refuse_foreign_schema(const pg::ServerError& error) {
  constexpr std::string_view kUndefinedColumn = "42703";
  if (error.sqlstate() != kUndefinedColumn) return;
  throw Error(ErrorCode::kRefused, "the database has a schema coppice that is not Coppice's",
              "use a database of its own: CREATE DATABASE …");
}

std::string meta_value(pg::Connection& connection, const std::string& key) {
  try {
    const pg::Result row =
        connection.exec_params("SELECT value FROM coppice.meta WHERE key = $1", {key});
    return row.rows() > 0 ? std::string(row.text(0, 0)) : std::string();
  } catch (const pg::ServerError& error) {
    refuse_foreign_schema(error);
    throw;
  }
}

void set_meta(pg::Connection& connection, const std::string& key, const std::string& value) {
  connection.exec_params(
      "INSERT INTO coppice.meta VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = $2",
      {key, value});
}

// Makes the role that reads, where the server lets us; says whether it is there.
bool ensure_reader_role(pg::Connection& connection) {
  if (reader_role_exists(connection)) return true;
  const pg::Result allowed = connection.exec(
      "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user");
  if (allowed.rows() == 0 || !allowed.boolean(0, 0)) return false;
  pg::Savepoint savepoint(connection);
  try {
    connection.exec(fmt::format("CREATE ROLE {} LOGIN", kReaderRole));
    // A role that is not a superuser must be a member to SET ROLE.
    connection.exec(
        fmt::format("DO $$ BEGIN IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = "
                    "current_user) THEN EXECUTE format('GRANT {} TO %I', current_user);"
                    " END IF; END $$",
                    kReaderRole));
    savepoint.release();
  } catch (const pg::ServerError&) {
    savepoint.rollback();  // made by another home of this server at this moment
    return reader_role_exists(connection);
  }
  return true;
}

void grant_reader(pg::Connection& connection) {
  const pg::Result database = connection.exec("SELECT current_database()");
  const std::string quoted = pg::quote_identifier(database.text(0, 0));
  for (const std::string& statement : {
           fmt::format("GRANT CONNECT, TEMPORARY, CREATE ON DATABASE {} TO {}", quoted,
                       kReaderRole),
           fmt::format("GRANT USAGE ON SCHEMA public, coppice, coppice_asof TO {}", kReaderRole),
           // The catalog is there to be read: history and lineage are SQL too.
           fmt::format("GRANT SELECT ON ALL TABLES IN SCHEMA coppice TO {}", kReaderRole),
           std::string("REVOKE CREATE ON SCHEMA public FROM PUBLIC"),
           fmt::format("CREATE SCHEMA IF NOT EXISTS {0} AUTHORIZATION {0}", kReaderRole),
       }) {
    connection.exec(statement);
  }
}

// From `format` (0: there is no catalog) to that of this program.
void upgrade_catalog(pg::Connection& connection, int format) {
  if (format == kCatalogFormat) return;
  for (int next = format + 1; next <= kCatalogFormat; ++next) {
    connection.exec(std::string(catalog::schema_text(next)));
  }
  set_meta(connection, "format", std::to_string(kCatalogFormat));
  const bool has_reader =
      format == 0 ? ensure_reader_role(connection) : reader_has_rights(connection);
  if (has_reader) grant_reader(connection);
}

// Of all functions in the database whose text is this program's.
std::string functions_digest(const std::string& stubs) {
  return to_hex(
      sha256(fmt::format("{}\n-- compute triggers {}", stubs, catalog::kComputeTriggerForm)));
}

// Replacing a function locks no table.
void renew_compute_functions(pg::Connection& connection) {
  catalog::Catalog tables(connection);
  for (const sql::QualifiedName& name : tables.all_tables()) {
    if (const auto function = catalog::compute_function(*tables.table(name))) {
      connection.exec(*function);
    }
  }
}

int parse_format(const std::string& text) {
  int format = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), format);
  if (error == std::errc() && end == text.data() + text.size()) return format;
  throw Error(
      ErrorCode::kIntegrity,
      fmt::format("coppice.meta names \"{}\" as the format of the catalog, which is none", text),
      "somebody has changed the catalog; put it back from a backup");
}

void check_format(int format) {
  if (format <= kCatalogFormat) return;
  throw Error(ErrorCode::kNewerFormat,
              fmt::format("the database has catalog format {}, this program reads up to {}", format,
                          kCatalogFormat),
              "use the coppice program that wrote it, or a newer one");
}

}  // namespace

bool reader_role_exists(pg::Connection& connection) {
  const pg::Result row =
      connection.exec_params("SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = $1",
                             {std::string(kReaderRole)});
  return row.rows() > 0 && row.boolean(0, 0);
}

bool reader_has_rights(pg::Connection& connection) {
  return reader_role_exists(connection) &&
         connection
             .exec_params("SELECT has_schema_privilege($1, 'coppice', 'USAGE')",
                          {std::string(kReaderRole)})
             .boolean(0, 0);
}

void adopt_reader(pg::Connection& connection) {
  if (!reader_role_exists(connection) || reader_has_rights(connection)) return;
  pg::Transaction transaction(connection);
  grant_reader(connection);
  const pg::Result grants = connection.exec_params(
      "SELECT format('GRANT USAGE ON SCHEMA %I TO %I', schema_name, $1::text) FROM coppice.schemas "
      "UNION ALL "
      "SELECT format('GRANT SELECT ON %I.%I TO %I', n.nspname, c.relname, $1::text) "
      "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
      "WHERE c.relkind = 'v' AND (n.nspname = 'coppice_asof' "
      "OR n.nspname IN (SELECT schema_name FROM coppice.schemas)) "
      "AND pg_has_role(c.relowner, 'MEMBER')",
      {std::string(kReaderRole)});
  for (int row = 0; row < grants.rows(); ++row) connection.exec(std::string(grants.text(row, 0)));
  transaction.commit();
}

std::optional<int> catalog_format(pg::Connection& connection) {
  // Read from the tables: to_regclass may answer from what this session knew before it waited.
  const pg::Result found = connection.exec(
      "SELECT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
      "WHERE n.nspname = 'coppice' AND c.relname = 'meta')");
  if (!found.boolean(0, 0)) return std::nullopt;
  const std::string text = meta_value(connection, "format");
  return parse_format(text);
}

bool is_up_to_date(pg::Connection& connection) {
  try {
    const pg::Result meta = connection.exec_params(
        "SELECT (SELECT value FROM coppice.meta WHERE key = 'format'), value FROM coppice.meta "
        "WHERE key = 'stubs'",
        {});
    if (meta.rows() == 0 || meta.is_null(0, 0)) return false;
    const int format = parse_format(std::string(meta.text(0, 0)));
    check_format(format);
    return format == kCatalogFormat &&
           meta.text(0, 1) == functions_digest(exec::stubs_sql(builtin_signatures()));
  } catch (const pg::ServerError& error) {
    constexpr std::string_view kUndefinedTable = "42P01";
    if (error.sqlstate() == kUndefinedTable) return false;
    refuse_foreign_schema(error);
    throw;
  }
}

bool migrate(pg::Connection& connection) {
  if (is_up_to_date(connection)) return false;
  const std::string stubs = exec::stubs_sql(builtin_signatures());
  if (const std::optional<int> before = catalog_format(connection)) check_format(*before);
  pg::Transaction transaction(connection);
  connection.exec(fmt::format("SELECT pg_advisory_xact_lock({})", kMigrationLock));
  const int format = catalog_format(connection).value_or(0);
  check_format(format);
  upgrade_catalog(connection, format);
  if (const std::string digest = functions_digest(stubs);
      meta_value(connection, "stubs") != digest) {
    connection.exec(stubs);
    renew_compute_functions(connection);
    set_meta(connection, "stubs", digest);
  }
  transaction.commit();
  return true;
}

}  // namespace coppice::engine
