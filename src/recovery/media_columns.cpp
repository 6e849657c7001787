#include "recovery/media_columns.h"

namespace coppice::recovery {

std::map<std::string, std::set<std::string>> media_columns_of(pg::Connection& connection) {
  const pg::Result rows = connection.exec(
      "SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
      "JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type e ON e.oid = t.typelem "
      "WHERE c.relnamespace = 'coppice_store'::regnamespace AND c.relkind = 'r' "
      "AND a.attnum > 0 AND NOT a.attisdropped "
      "AND 'coppice'::regnamespace IN (t.typnamespace, e.typnamespace)");
  std::map<std::string, std::set<std::string>> columns;
  for (int row = 0; row < rows.rows(); ++row) {
    columns[std::string(rows.text(row, 0))].emplace(rows.text(row, 1));
  }
  return columns;
}

}  // namespace coppice::recovery
