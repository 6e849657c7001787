// Which columns a rescue reads and writes.
//
// Threads  Plain values, once made.
// Errors   kRefused for a table without a primary key, and for columns that cannot be written;
//          kNotFound, with the nearest name; kType where the backup has another type.
#pragma once

#include <string>
#include <vector>

#include "catalog/model.h"
#include "recovery/backup_table.h"
#include "recovery/rescue_requests.h"
#include "sql/parse.h"

namespace coppice::recovery {

class RescueColumns {
 public:
  // `condition`: over columns of the backup's table. Both tables are borrowed.
  RescueColumns(const catalog::TableInfo& table, const BackupTable& then,
                const RescueRequest& request, const sql::Statement& condition);

  const std::vector<std::string>& key() const { return key_; }  // by which rows are found again
  const std::vector<std::string>& wanted() const { return wanted_; }  // that are set back
  std::vector<std::string> written() const;                           // both
  const std::vector<std::string>& loaded() const { return loaded_; }  // and those of the condition
  bool is_key(const std::string& name) const;
  const BackupColumn& then(const std::string& name) const;

 private:
  const BackupColumn* in_backup(const std::string& name) const;
  void choose(const std::vector<std::string>& texts);
  void check(const std::string& name) const;
  void check_type(const std::string& name) const;

  const catalog::TableInfo& table_;
  const BackupTable& then_;
  std::vector<std::string> key_, wanted_, loaded_;
};

}  // namespace coppice::recovery
