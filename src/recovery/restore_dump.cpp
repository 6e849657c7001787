#include "recovery/restore_dump.h"

#include <fmt/core.h>

#include "base/crash_point.h"
#include "base/error.h"
#include "pg/connection.h"
#include "pg/conninfo.h"
#include "recovery/dump_program.h"

namespace coppice::recovery {
namespace {

// What somebody has made there, but what extensions have.
constexpr const char* kContent = R"(
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'
  AND n.nspname NOT LIKE 'pg_temp%'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
UNION ALL SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
UNION ALL SELECT 'the schema ' || quote_ident(nspname) FROM pg_namespace n
WHERE nspname NOT IN ('public', 'information_schema') AND nspname NOT LIKE 'pg\_%'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = n.oid AND d.deptype = 'e')
UNION ALL SELECT 'the large object ' || oid FROM pg_largeobject_metadata
LIMIT 1)";

void make_roles(pg::Connection& connection, const DumpedDatabase& dump, ResultSink& sink) {
  for (const std::string& role : dump.roles) {
    const bool there =
        connection.exec_params("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", {role})
            .boolean(0, 0);
    if (there) continue;
    const std::string quoted = pg::quote_identifier(role);
    try {
      connection.exec("CREATE ROLE " + quoted + " NOLOGIN");
    } catch (const pg::ServerError& error) {
      throw Error(ErrorCode::kRefused,
                  fmt::format("the role {} owns something in the dump, and cannot be made: {}",
                              role, error.message()),
                  "make it, or restore as another owner: coppice backup cat BACKUP:dump | "
                  "pg_restore --no-owner --no-acl --dbname=…");
    }
    sink.notice(fmt::format(
        "the role {} was made without LOGIN: backups hold no passwords; if somebody connects as "
        "it: ALTER ROLE {} LOGIN PASSWORD '…'",
        role, quoted));
  }
}

}  // namespace

void check_place_of_dump(const std::string& conninfo) {
  pg::Connection connection = pg::Connection::connect(conninfo);
  const pg::Result content = connection.exec(kContent);
  if (content.rows() == 0) return;
  throw Error(ErrorCode::kRefused,
              fmt::format("the database is not empty: it has {}", content.text(0, 0)),
              "give an empty one: createdb NAME, or CREATE DATABASE name");
}

void restore_dump(const repo::Repository& repository, const DumpedDatabase& dump,
                  const std::string& conninfo, ResultSink& sink) {
  const pg::ClientProgram program = pg::choose_client_program("pg_restore", dump.program_major);
  check_place_of_dump(conninfo);
  {
    pg::Connection connection = pg::Connection::connect(conninfo);
    make_roles(connection, dump, sink);
  }
  Progress progress{fmt::format("restoring the database {} (bytes)", dump.database), 0,
                    dump.content.size_bytes};
  DumpProgram restore(program, {"--single-transaction", "--exit-on-error"}, conninfo,
                      DumpProgram::Stream::kInput);
  read_content(repository, dump.content, [&](std::string_view bytes) {
    if (!restore.write(bytes)) {
      restore.finish();  // says why
      throw Error(ErrorCode::kUnavailable, "pg_restore read only a part of the dump");
    }
    progress.done += bytes.size();
    sink.progress(progress);
  });
  if (const std::string said = restore.finish(); !said.empty()) sink.notice(said);
  reach_crash_point("other_data.dump_loaded");
}

}  // namespace coppice::recovery
