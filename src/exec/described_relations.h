// DescribedRelations: RelationKinds that asks the server about what the catalog does not know.
//
// Model    Tables of PostgreSQL's own and of other schemas, functions in FROM, TEMP tables: their
//          columns have names and no media kind. Each name is asked about once.
// Threads  As the Connection.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "exec/scope.h"
#include "pg/connection.h"

namespace coppice::exec {

class DescribedRelations final : public RelationKinds {
 public:
  DescribedRelations(RelationKinds& known, pg::Connection& connection)
      : known_(known), connection_(connection) {}

  std::optional<ColumnKinds> columns_of(const sql::VersionedName& relation) override;
  std::optional<ColumnKinds> columns_of_function(const PgQuery__RangeFunction& function) override;

 private:
  std::optional<ColumnKinds> describe(const std::string& query);

  RelationKinds& known_;
  pg::Connection& connection_;
  std::map<std::string, std::optional<ColumnKinds>> described_;
};

}  // namespace coppice::exec
