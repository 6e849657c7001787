#include "recovery/take_dump.h"

#include <fmt/core.h>

#include "base/crash_point.h"
#include "config/config.h"
#include "pg/connection.h"
#include "pg/conninfo.h"
#include "recovery/dump_program.h"

namespace coppice::recovery {
namespace {

// Who owns something in this database, or has rights there. Of what the server made itself it keeps
// no dependency.
constexpr const char* kRoles = R"(
SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND oid IN (
  SELECT refobjid FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass
    AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  UNION SELECT relowner FROM pg_class UNION SELECT nspowner FROM pg_namespace
  UNION SELECT proowner FROM pg_proc UNION SELECT typowner FROM pg_type
  UNION SELECT lomowner FROM pg_largeobject_metadata)
ORDER BY rolname)";

std::string value_of(const pg::ConninfoOptions& options, const char* keyword, const char* variable,
                     const char* otherwise) {
  if (const auto found = options.find(keyword); found != options.end()) return found->second;
  const Environment environment = process_environment();
  const auto found = environment.find(variable);
  return found == environment.end() ? otherwise : found->second;
}

}  // namespace

DumpedDatabase describe_database(const std::string& conninfo) {
  pg::Connection connection = pg::Connection::connect(conninfo);
  DumpedDatabase database;
  database.server_version = connection.server_version();
  database.database = connection.exec("SELECT current_database()").text(0, 0);
  const pg::ConninfoOptions options = pg::parse_conninfo(conninfo);
  database.address =
      fmt::format("postgresql://{}:{}/{}", value_of(options, "host", "PGHOST", "localhost"),
                  value_of(options, "port", "PGPORT", "5432"), database.database);
  const pg::Result roles = connection.exec(kRoles);
  for (int row = 0; row < roles.rows(); ++row) database.roles.emplace_back(roles.text(row, 0));
  return database;
}

void take_dump(const std::string& conninfo, DumpedDatabase& database, repo::BlobWriter& writer,
               const GearTable& gear, ResultSink& sink) {
  const pg::ClientProgram program =
      pg::choose_client_program("pg_dump", database.server_version / 10'000);
  database.program = "pg_dump " + program.version;
  database.program_major = program.major;
  ContentWriter content(writer, gear);
  Progress progress{fmt::format("backing up the database {} (bytes)", database.database), 0, 0};
  // Compressed, one changed row would change all that follows it.
  DumpProgram dump(program, {"--format=custom", "--compress=0"}, conninfo,
                   DumpProgram::Stream::kOutput);
  dump.read([&](std::string_view bytes) {
    content.add(bytes);
    progress.done += bytes.size();
    sink.progress(progress);
  });
  if (const std::string said = dump.finish(); !said.empty()) sink.notice(said);
  database.content = content.finish();
  reach_crash_point("other_data.dump_read");
}

}  // namespace coppice::recovery
