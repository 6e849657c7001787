// What the tests of this component share: engine functions that are computed from names alone, and
// a database with their stubs.
#pragma once

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "exec/binder.h"
#include "exec/functions.h"
#include "pg/test_server.h"
#include "workers/pool.h"

namespace coppice::exec::testing {

// The media functions over names: width is the name's length, resize appends to the name, a name
// with "bad" in it cannot be decoded. sql_functions() has the same functions for PostgreSQL.
class FakePool : public FunctionPool {
 public:
  BatchResult evaluate(const std::vector<Fragment>& fragments, const Batch& batch,
                       std::stop_token stop) override;

  int batches = 0;
  std::size_t calls = 0;          // cells asked for
  std::vector<std::string> seen;  // the fragments of each batch, as text
};

// SQL functions with the results of FakePool, in place of the stubs.
std::string sql_functions();

// Tables with these columns for the binder.
class FakeRelations : public RelationKinds {
 public:
  std::optional<ColumnKinds> columns_of(const sql::VersionedName& relation) override;

  std::map<std::string, ColumnKinds> tables;
};

// film(id, title, clip, poster, still, seconds, tags) and shot(id, film_id, img), with rows.
FakeRelations test_relations();
std::string test_schema();

// A database with schema, stubs and rows.
class ExecDatabase {
 public:
  ExecDatabase();

  pg::TestDatabase database;
  pg::Connection connection;
  FunctionTable functions;
  FakeRelations relations;
};

}  // namespace coppice::exec::testing
