#include "pg/probe.h"

namespace coppice::pg {
namespace {

constexpr const char* kProbe = R"sql(
  SELECT current_setting('server_version_num'), current_setting('server_version'),
         current_user, current_database(), current_setting('server_encoding'),
         (SELECT datcollate FROM pg_database WHERE datname = current_database()),
         r.rolsuper, r.rolcreaterole OR r.rolsuper, r.rolcreatedb OR r.rolsuper,
         has_database_privilege(current_database(), 'CREATE'),
         current_setting('data_checksums') = 'on', pg_is_in_recovery(),
         current_setting('default_transaction_read_only') = 'on',
         coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false),
         inet_server_addr() IS NULL, current_setting('max_connections'),
         (SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL)
  FROM pg_roles r WHERE r.rolname = current_user)sql";

}  // namespace

ServerFacts probe(Connection& connection) {
  const Result found = connection.exec(kProbe);
  const auto text = [&](int column) { return std::string(found.text(0, column)); };
  ServerFacts facts;
  facts.version_number = static_cast<int>(found.integer(0, 0));
  facts.version = text(1);
  facts.role = text(2);
  facts.database = text(3);
  facts.encoding = text(4);
  facts.collation = text(5);
  facts.is_superuser = found.boolean(0, 6);
  facts.may_create_role = found.boolean(0, 7);
  facts.may_create_database = found.boolean(0, 8);
  facts.may_create_schema = found.boolean(0, 9);
  facts.data_checksums = found.boolean(0, 10);
  facts.in_recovery = found.boolean(0, 11);
  facts.read_only = found.boolean(0, 12);
  facts.encrypted = found.boolean(0, 13);
  facts.local = found.boolean(0, 14);
  facts.max_connections = static_cast<int>(found.integer(0, 15));
  facts.used_connections = static_cast<int>(found.integer(0, 16));
  return facts;
}

ServerFacts probe(const std::string& conninfo) {
  Connection connection = Connection::connect(conninfo);
  return probe(connection);
}

void check_usable(const ServerFacts& facts) {
  if (facts.version_number < kOldestServer * 10000) {
    throw Error(ErrorCode::kUnsupported,
                "the database server is PostgreSQL " + facts.version + "; Coppice needs " +
                    std::to_string(kOldestServer) + " or newer",
                "upgrade the server, or leave database.url unset for a private one");
  }
  if (facts.in_recovery || facts.read_only) {
    throw Error(ErrorCode::kRefused,
                facts.in_recovery ? "the database server is a standby: it takes no writes"
                                  : "the database server takes no writes "
                                    "(default_transaction_read_only is on)",
                "use the address of the primary server");
  }
  if (facts.encoding != "UTF8") {
    throw Error(ErrorCode::kUnsupported,
                "the database " + facts.database + " is encoded in " + facts.encoding +
                    "; Coppice needs UTF8",
                "create a database with ENCODING 'UTF8' TEMPLATE template0 and use that");
  }
  if (!facts.may_create_schema) {
    throw Error(
        ErrorCode::kRefused,
        "the role " + facts.role + " may not create schemas in the database " + facts.database,
        "as its owner: GRANT CREATE ON DATABASE \"" + facts.database + "\" TO \"" + facts.role +
            "\"");
  }
}

}  // namespace coppice::pg
