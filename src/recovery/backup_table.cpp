#include "recovery/backup_table.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "recovery/catalog_lines.h"
#include "recovery/time_text.h"
#include "sql/names.h"

namespace coppice::recovery {
namespace {

using catalog::ColumnInfo;
using catalog::VersionInfo;
using engine::ConstraintDraft;
using nlohmann::json;
using Fields = std::vector<std::string_view>;

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

bool is_media_type(std::string type) {
  if (type.ends_with("[]")) type.resize(type.size() - 2);
  return catalog::media_kind_of_type(type).has_value();
}

// Reads one table's description out of the lines of the catalog.
class TableFinder {
 public:
  TableFinder(const repo::Repository& repository, const Tree& home)
      : repository_(repository), home_(home) {}

  BackupTable find(const std::string& name) {
    const std::string version = find_table(name);
    find_version(version);
    read_columns();
    read_constraints();
    read_comment();
    for (const json& item : home_.member("tables")) {
      if (item.at("table_id") != table_.table_id) continue;
      table_.runs = read_table(repository_, home_.tree(item.at("tree")));
    }
    return std::move(table_);
  }

 private:
  void each(const char* table, const std::vector<std::string>& columns,
            const std::function<void(const Fields&)>& visit) const {
    for_each_catalog_row(repository_, home_, table, columns, visit);
  }

  // Gives the version that the name asks for; a table's own name may have a colon.
  std::string find_table(const std::string& text) {
    const sql::VersionedName whole = sql::parse_versioned_name(text);
    const sql::VersionedName parts =
        whole.version ? whole : sql::split_version(whole.table.schema, whole.table.name);
    std::vector<std::string> names;
    std::string version;
    each("tables", {"table_id", "tree_id", "schema_name", "table_name"}, [&](const Fields& row) {
      const sql::QualifiedName name{*catalog_value(row[2]), *catalog_value(row[3])};
      names.push_back(name.text());
      const bool is_whole = !whole.version && is_same(name, whole.table);
      if (!is_whole && !is_same(name, parts.table)) return;
      if (table_.table_id != 0 && !is_whole) return;
      table_.table_id = catalog_number(row[0]);
      table_.tree_id = catalog_number(row[1]);
      table_.name = name;
      version = is_whole ? "" : parts.version.value_or("");
    });
    if (table_.table_id != 0) return version;
    std::string hint = did_you_mean(with_schema(parts.table).text(), names);
    if (hint.empty() && !names.empty()) {
      names.resize(std::min<std::size_t>(names.size(), 10));
      hint = "it has: " + join(names, ", ");
    }
    throw Error(ErrorCode::kNotFound, fmt::format("the backup has no table {}", parts.table.text()),
                hint);
  }

  static sql::QualifiedName with_schema(sql::QualifiedName name) {
    if (name.schema.empty()) name.schema = "public";
    return name;
  }
  static bool is_same(const sql::QualifiedName& name, const sql::QualifiedName& asked) {
    return name == with_schema(asked);
  }

  void find_version(const std::string& asked) {
    std::int64_t first = 0;
    each("materialized_views", {"table_id", "first_version"}, [&](const Fields& row) {
      if (catalog_number(row[0]) != table_.table_id) return;
      table_.is_view = true;
      first = catalog_number(row[1]);
    });
    const std::optional<std::int64_t> number = number_of(asked);
    const std::int64_t time = asked.empty() || number ? 0 : time_in(asked);
    std::optional<VersionInfo> found;
    std::int64_t earliest = -1;
    each("versions", {"tree_id", "version", "published_at", "high_op", "open_ops"},
         [&](const Fields& row) {
           if (catalog_number(row[0]) != table_.tree_id) return;
           const std::int64_t version = catalog_number(row[1]);
           if (version < first) return;
           if (earliest < 0) earliest = version;
           table_.last_version = version;
           const bool wanted = asked.empty() || (number && *number == version) ||
                               (!number && time_in(*catalog_value(row[2])) <= time);
           if (wanted) found = version_in(row);
         });
    if (!found) {
      throw Error(ErrorCode::kNotFound,
                  fmt::format("the backup does not have {} as of {}", table_.name.text(), asked),
                  fmt::format("it has the versions from {} to {}", earliest, table_.last_version));
    }
    table_.version = *found;
  }

  static VersionInfo version_in(const Fields& row) {
    VersionInfo version;
    version.version = catalog_number(row[1]);
    version.published_at = *catalog_value(row[2]);
    version.high_op = catalog_number(row[3]);
    version.open_ops = catalog_numbers(row[4]);
    return version;
  }

  std::optional<std::int64_t> number_of(const std::string& asked) const {
    if (is_number(asked)) return catalog_number(asked);
    std::optional<std::int64_t> named;
    each("snapshots", {"tree_id", "name", "version"}, [&](const Fields& row) {
      const bool same = catalog_number(row[0]) == table_.tree_id && *catalog_value(row[1]) == asked;
      if (same) named = catalog_number(row[2]);
    });
    return named;
  }

  void read_columns() {
    each("columns",
         {"table_id", "column_id", "from_version", "to_version", "physical", "name", "position",
          "type", "not_null", "default_sql", "identity", "sequence", "expression", "on_error",
          "backup", "url_policy", "comment", "derived"},
         [&](const Fields& row) {
           const std::int64_t version = table_.version.version;
           if (catalog_number(row[0]) != table_.table_id) return;
           if (catalog_number(row[2]) > version) return;
           if (row[3] != "\\N" && catalog_number(row[3]) <= version) return;
           add_column(row);
         });
    std::sort(table_.columns.begin(), table_.columns.end(), [](const auto& a, const auto& b) {
      return a.draft.info.position < b.draft.info.position;
    });
    for (BackupColumn& column : table_.columns) column.draft.info.position = 0;
  }

  void add_column(const Fields& row) {
    BackupColumn column;
    ColumnInfo& info = column.draft.info;
    column.id = catalog_number(row[1]);
    column.physical = *catalog_value(row[4]);
    info.name = *catalog_value(row[5]);
    info.position = static_cast<int>(catalog_number(row[6]));
    info.type = *catalog_value(row[7]);
    info.not_null = row[8] == "t";
    info.default_sql = catalog_value(row[9]);
    info.identity = catalog_value(row[10]);
    info.expression = catalog_value(row[12]);
    info.on_error = row[13] == "ignore" ? catalog::OnError::kIgnore : catalog::OnError::kAbort;
    info.backup = *catalog_value(row[14]);
    info.references = *catalog_value(row[15]);
    info.comment = catalog_value(row[16]);
    column.is_derived = row[17] != "\\N";
    column.is_media = is_media_type(info.type);
    if (const auto sequence = catalog_value(row[11])) read_sequence(*sequence, column);
    table_.columns.push_back(std::move(column));
  }

  void read_sequence(const std::string& name, BackupColumn& column) {
    column.draft.serial = !column.draft.info.identity;
    column.draft.info.default_sql.reset();
    for (const json& sequence : home_.member("sequences")) {
      if (sequence.at("name") != name) continue;
      const auto number = [&](const char* key) { return sequence.at(key).get<std::int64_t>(); };
      std::string& options = column.draft.sequence_options;
      options =
          fmt::format(" start {} increment {} minvalue {} maxvalue {} cache {}", number("start"),
                      number("increment"), number("minimum"), number("maximum"), number("cache"));
      if (sequence.at("cycle").get<bool>()) options += " cycle";
      if (!sequence.at("last").is_null()) column.last_of_sequence = number("last");
    }
  }

  void read_constraints() {
    std::map<std::int64_t, std::string> names;
    for (const BackupColumn& column : table_.columns) names[column.id] = column.draft.info.name;
    each("constraints", {"table_id", "name", "kind", "columns", "expression", "nulls_distinct"},
         [&](const Fields& row) {
           if (catalog_number(row[0]) != table_.table_id) return;
           ConstraintDraft draft;
           draft.kind = row[2] == "primary key" ? catalog::ConstraintKind::kPrimaryKey
                        : row[2] == "unique"    ? catalog::ConstraintKind::kUnique
                                                : catalog::ConstraintKind::kCheck;
           draft.expression = catalog_value(row[4]);
           draft.nulls_distinct = row[5] != "f";
           for (const std::int64_t id : catalog_numbers(row[3])) {
             if (!names.contains(id)) return;  // that version did not have the column
             draft.columns.push_back(names[id]);
           }
           draft.name = *catalog_value(row[1]);
           const std::string usual = engine::constraint_name(table_.name.name, unnamed(draft), {});
           if (draft.name == usual) draft.name.clear();
           table_.constraints.push_back(std::move(draft));
         });
  }
  static ConstraintDraft unnamed(ConstraintDraft draft) {
    draft.name.clear();
    return draft;
  }

  void read_comment() {
    const std::string head = fmt::format("COMMENT ON VIEW {} IS ", table_.name.text());
    for (const json& right : home_.member("rights")) {
      const auto text = right.get<std::string>();
      if (text.starts_with(head)) table_.comment = text.substr(head.size());
    }
  }

  const repo::Repository& repository_;
  const Tree& home_;
  BackupTable table_;
};

bool is_visible(const VersionInfo& version, std::int64_t operation) {
  return operation <= version.high_op && std::find(version.open_ops.begin(), version.open_ops.end(),
                                                   operation) == version.open_ops.end();
}

// Of a line: _from, _row, _to.
bool is_there(const VersionInfo& version, const Fields& fields) {
  if (!is_visible(version, catalog_number(fields.at(0)))) return false;
  return fields.at(2) == catalog::kCurrentText ||
         !is_visible(version, catalog_number(fields.at(2)));
}

}  // namespace

BackupTable table_in_backup(const repo::Repository& repository, const Tree& home,
                            const std::string& name) {
  return home.checked([&] { return TableFinder(repository, home).find(name); });
}

void for_each_row(const repo::Repository& repository, const BackupTable& table,
                  const std::vector<std::size_t>& columns, const RowVisit& visit) {
  MergeRequest request;
  for (const std::size_t column : columns) {
    request.columns.push_back(table.columns.at(column).physical);
  }
  Fields fields, wanted(columns.size());
  const TableRuns& runs = table.runs;
  for (std::size_t run = 0; run < runs.runs.size(); ++run) {
    if (runs.runs[run].kind != RunKind::kRows) continue;
    const std::vector<std::string> there = merged_columns(runs, run, request);
    const std::size_t head = runs.runs[run].has_parent ? 4 : 3;
    merge_run(repository, runs, run, request, [&](std::string_view line) {
      split_fields(line, fields);
      if (!is_there(table.version, fields)) return;
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        const auto at = static_cast<std::size_t>(
            std::find(there.begin(), there.end(), request.columns[i]) - there.begin());
        wanted[i] = at < there.size() ? fields.at(head + at) : std::string_view("\\N");
      }
      visit(fields.at(1), wanted);
    });
  }
}

}  // namespace coppice::recovery
