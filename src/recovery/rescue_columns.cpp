#include "recovery/rescue_columns.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "engine/root_sums.h"
#include "sql/names.h"
#include "sql/tree.h"

namespace coppice::recovery {
namespace {

using catalog::ColumnInfo;

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// "title,year", or one name in quotes.
std::vector<std::string> names_in(const std::string& text) {
  std::vector<std::string> names;
  const bool is_quoted = text.starts_with('"');
  for (const std::string& part : is_quoted ? std::vector{text} : split(text, ',')) {
    const sql::QualifiedName name = sql::parse_qualified_name(trim(part));
    if (!name.schema.empty()) {
      throw Error(ErrorCode::kUsage, fmt::format("{} is no name of a column", part),
                  "write: --columns title,year");
    }
    names.push_back(name.name);
  }
  return names;
}

// Any name in it may be a column's; one too many costs only its time.
bool is_in(const sql::Statement& condition, const std::string& name) {
  bool found = false;
  sql::walk(const_cast<sql::Node*>(condition.node()), [&](sql::Message& message) {
    if (sql::as<PgQuery__AStar>(message) != nullptr) found = true;
    if (const auto* text = sql::as<PgQuery__String>(message)) found = found || text->sval == name;
    return sql::Visit::kInto;
  });
  return found;
}

}  // namespace

RescueColumns::RescueColumns(const catalog::TableInfo& table, const BackupTable& then,
                             const RescueRequest& request, const sql::Statement& condition)
    : table_(table), then_(then) {
  for (const ColumnInfo* column : engine::key_columns(table)) key_.push_back(column->name);
  if (key_.empty()) {
    throw Error(
        ErrorCode::kRefused,
        fmt::format("{} has no primary key: its rows cannot be told apart", table.user_name()),
        fmt::format("restore the table beside it: --table {} --as NAME",
                    shell_quoted(request.table)));
  }
  choose(request.columns);
  for (const std::string& name : written()) check_type(name);
  loaded_ = written();
  for (const BackupColumn& column : then.columns) {
    const std::string& name = column.draft.info.name;
    if (!has(loaded_, name) && is_in(condition, name)) loaded_.push_back(name);
  }
}

std::vector<std::string> RescueColumns::written() const {
  std::vector<std::string> names = key_;
  names.insert(names.end(), wanted_.begin(), wanted_.end());
  return names;
}

bool RescueColumns::is_key(const std::string& name) const { return has(key_, name); }

const BackupColumn* RescueColumns::in_backup(const std::string& name) const {
  const auto found =
      std::find_if(then_.columns.begin(), then_.columns.end(),
                   [&](const BackupColumn& column) { return column.draft.info.name == name; });
  return found == then_.columns.end() ? nullptr : &*found;
}

const BackupColumn& RescueColumns::then(const std::string& name) const {
  const BackupColumn* const column = in_backup(name);
  COPPICE_ASSERT(column != nullptr);
  return *column;
}

// None: whole rows, as far as the backup has them.
void RescueColumns::choose(const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    for (const std::string& name : names_in(text)) {
      check(name);
      if (!has(wanted_, name)) wanted_.push_back(name);
    }
  }
  if (!texts.empty()) return;
  for (const ColumnInfo* column : table_.visible_columns()) {
    if (column->computed() || is_key(column->name)) continue;
    if (in_backup(column->name) != nullptr) wanted_.push_back(column->name);
  }
}

void RescueColumns::check(const std::string& name) const {
  const ColumnInfo* const column = table_.find_column(name);
  if (column == nullptr) {
    std::vector<std::string> names;
    for (const ColumnInfo* one : table_.visible_columns()) names.push_back(one->name);
    throw Error(ErrorCode::kNotFound,
                fmt::format("column \"{}\" of table {} does not exist", name, table_.user_name()),
                did_you_mean(name, names));
  }
  if (column->computed()) {
    throw Error(ErrorCode::kRefused,
                fmt::format("{} is a computed column: it follows from others", name),
                "rescue the columns that it is made of");
  }
  if (is_key(name)) {
    throw Error(ErrorCode::kRefused,
                fmt::format("{} is of the primary key, by which rows are found again", name),
                "name other columns, or none for whole rows");
  }
}

void RescueColumns::check_type(const std::string& name) const {
  const BackupColumn* const column = in_backup(name);
  if (column == nullptr) {
    throw Error(ErrorCode::kNotFound,
                fmt::format("the backup has no column \"{}\" in {} at version {}", name,
                            then_.name.text(), then_.version.version),
                "name other columns, or another backup");
  }
  const std::string& now = table_.find_column(name)->type;
  if (column->draft.info.type == now) return;
  throw Error(ErrorCode::kType,
              fmt::format("{} is {} now, and {} in the backup", name, now, column->draft.info.type),
              "restore the table beside it, and convert: --as NAME");
}

}  // namespace coppice::recovery
