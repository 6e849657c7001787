// Probe: what a PostgreSQL server is and what our role may do there.
//
// Model    Facts only; check_usable() turns those that stop Coppice into an Error with the fix,
//          `doctor` prints them all.
// Threads  As the Connection.
#pragma once

#include <string>

#include "pg/connection.h"

namespace coppice::pg {

// The oldest server Coppice works with.
constexpr int kOldestServer = 13;

struct ServerFacts {
  int version_number = 0;  // 150020
  std::string version;     // "15.20 (Debian 15.20-0+deb12u1)"
  std::string role;
  std::string database;
  std::string encoding;   // of the database
  std::string collation;  // of the database
  bool is_superuser = false;
  bool may_create_role = false;
  bool may_create_database = false;
  bool may_create_schema = false;
  bool data_checksums = false;
  bool in_recovery = false;  // a standby: read-only whatever the settings say
  bool read_only = false;    // default_transaction_read_only
  bool encrypted = false;    // this connection uses TLS
  bool local = false;        // this connection is a unix socket
  int max_connections = 0;
  int used_connections = 0;
};

ServerFacts probe(Connection& connection);
ServerFacts probe(const std::string& conninfo);

// Throws when Coppice cannot keep its data there: too old, read-only, not UTF-8, no right to
// create schemas.
void check_usable(const ServerFacts& facts);

}  // namespace coppice::pg
