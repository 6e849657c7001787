// TestServer and TestDatabase: a real PostgreSQL for the tests of any component.
//
// Model    One private server for each test program, made on first use in a folder of its own
//          under /tmp and gone with the program, however it ends. Every TestDatabase is a fresh,
//          empty database, dropped at the end. With COPPICE_TEST_DATABASE_URL set, that server is
//          used instead; its role must be allowed to create databases.
// Threads  shared() may be called from any thread; a TestDatabase belongs to one at a time.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "pg/connection.h"

namespace coppice::pg {

class TestServer {
 public:
  static TestServer& shared();
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  // The superuser (or the given role) in the server's maintenance database.
  const std::string& conninfo() const { return conninfo_; }
  // True when COPPICE_TEST_DATABASE_URL named it: then there may be no superuser.
  bool is_external() const { return external_; }

 private:
  TestServer();
  struct Private;
  std::unique_ptr<Private> private_;
  std::string conninfo_;
  bool external_ = false;
};

class TestDatabase {
 public:
  TestDatabase();
  ~TestDatabase();
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  const std::string& name() const { return name_; }
  const std::string& conninfo() const { return conninfo_; }
  Connection connect() const { return Connection::connect(conninfo_); }

 private:
  std::string name_;
  std::string conninfo_;
};

// A scratch folder that a database server's account can reach, removed at the end; for tests that
// make servers of their own. As root it makes sure that the account exists.
std::filesystem::path make_reachable_folder();

}  // namespace coppice::pg
