// The catalog's model: what a table, column, constraint and view is, as plain values.
//
// Model    A TableInfo is an immutable snapshot of one table's current description. A column has an
//          id that lives as long as the column; its physical column changes when its expression or
//          type changes. Engine functions are used by a column when uses_engine is set.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sql/names.h"

namespace coppice::catalog {

// The value of _to while a row is current.
inline constexpr std::int64_t kCurrent = INT64_MAX;
inline constexpr std::string_view kCurrentText = "9223372036854775807";

enum class MediaKind { kImage, kVideo, kAudio, kDocument };
std::string_view media_kind_name(MediaKind kind);
std::optional<MediaKind> media_kind_of_type(std::string_view type_name);

enum class OnError { kAbort, kIgnore };

struct ColumnInfo {
  std::int64_t id = 0;
  std::string physical;  // "c5"
  std::string name;
  int position = 0;
  std::string type;  // "numeric(10,2)", "image", "text[]"
  bool not_null = false;
  std::optional<std::string> default_sql;
  std::optional<std::string> identity;  // "always" | "by default"
  std::optional<std::string> sequence;  // "coppice_store.t3_id_seq"
  std::optional<std::string> expression;
  // Of a materialized view's select list: over the row of its parent and the iterator's.
  std::optional<std::string> derived;
  bool uses_engine = false;
  OnError on_error = OnError::kAbort;
  std::string backup = "auto";
  std::string references = "auto";  // "take" | "keep" | "auto": as media.references says
  std::optional<std::string> comment;
  bool filling = false;  // hidden: its fill is not published yet
  std::int64_t from_version = 0;

  bool computed() const { return expression.has_value(); }
  std::optional<MediaKind> media_kind() const { return media_kind_of_type(type); }
};

enum class ConstraintKind { kPrimaryKey, kUnique, kCheck };
std::string_view constraint_kind_name(ConstraintKind kind);

struct ConstraintInfo {
  std::int64_t id = 0;
  std::string name;
  ConstraintKind kind = ConstraintKind::kCheck;
  std::vector<std::int64_t> columns;      // column ids in key order
  std::optional<std::string> expression;  // of a check
  bool nulls_distinct = true;             // of a unique constraint
  std::string store_name;
};

struct IndexInfo {
  std::int64_t id = 0;
  std::string name;
  std::string definition;
  std::vector<std::int64_t> columns;
  std::string store_name;
};

// A LATERAL call of an iterator in the FROM of a materialized view.
struct IteratorCall {
  std::string call;  // "frames(f.clip, fps => 1)"
  std::string alias;
  std::vector<std::string> columns;  // pos and those of the function, as they are called
};

// What makes a table a materialized view. Names in expressions are qualified by the aliases.
struct MaterializedInfo {
  std::int64_t parent_id = 0;
  std::string parent_alias;
  std::optional<IteratorCall> iterator;
  std::optional<std::string> condition;  // WHERE
  std::string definition;                // the query as the user wrote it
  std::int64_t first_version = 0;
};

struct TableInfo {
  std::int64_t table_id = 0;
  std::int64_t tree_id = 0;
  sql::QualifiedName name;
  std::string store;  // "t12", in coppice_store
  std::int64_t version = 0;
  std::int64_t schema_version = 0;
  std::int64_t floor_version = 0;
  std::vector<ColumnInfo> columns;  // by position, those that are filling too
  std::vector<ConstraintInfo> constraints;
  std::vector<IndexInfo> indexes;
  std::optional<MaterializedInfo> view;  // of a materialized view
  std::vector<std::int64_t> views;       // ids of the materialized views over it

  std::string store_table() const { return "coppice_store." + store; }
  // The writable view over current rows with the user's names, then _row, _from and _to, and of a
  // materialized view _parent.
  std::string working_view() const { return "coppice_store.w" + store.substr(1); }
  std::string user_name() const;  // "films.film", quoted where needed

  // The columns that the store has besides _from, _to and the physical ones: "_row", of a view
  // "_row, _parent".
  std::string row_columns() const { return view ? "_row, _parent" : "_row"; }

  // Columns the user sees, by position.
  std::vector<const ColumnInfo*> visible_columns() const;
  const ColumnInfo* find_column(std::string_view column_name) const;  // visible ones
  const ColumnInfo* column_by_id(std::int64_t id) const;
  const ConstraintInfo* primary_key() const;
  bool has_media() const;
  bool has_engine_columns() const;  // filling ones too
};

// The table as it will be when its running fills are published: each hidden column in the place of
// the one it replaces. Expressions of hidden columns are read in these names.
TableInfo with_fills(const TableInfo& table);

struct ViewInfo {
  std::int64_t view_id = 0;
  sql::QualifiedName name;
  std::string definition;
  bool uses_engine = false;
  std::vector<std::pair<std::string, MediaKind>> kinds;
};

// One version of a table as time travel sees it.
struct VersionInfo {
  std::int64_t version = 0;
  std::int64_t op_id = 0;
  std::string published_at;
  std::int64_t high_op = 0;
  std::vector<std::int64_t> open_ops;
  std::int64_t schema_version = 0;
};

// SQL condition, over _from and _to, that a row is visible at a version.
std::string visible_at(const VersionInfo& version);

}  // namespace coppice::catalog
