#include "catalog/model.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/error.h"

namespace coppice::catalog {
namespace {

constexpr std::array<std::string_view, 4> kKindNames = {"image", "video", "audio", "document"};

}  // namespace

std::string_view media_kind_name(MediaKind kind) {
  return kKindNames.at(static_cast<std::size_t>(kind));
}

std::optional<MediaKind> media_kind_of_type(std::string_view type_name) {
  if (type_name.starts_with("coppice.")) type_name.remove_prefix(8);
  for (std::size_t i = 0; i < kKindNames.size(); ++i) {
    if (kKindNames[i] == type_name) return static_cast<MediaKind>(i);
  }
  return std::nullopt;
}

std::string_view constraint_kind_name(ConstraintKind kind) {
  switch (kind) {
    case ConstraintKind::kPrimaryKey:
      return "primary key";
    case ConstraintKind::kUnique:
      return "unique";
    case ConstraintKind::kCheck:
      return "check";
  }
  return "check";
}

std::string TableInfo::user_name() const { return name.text(); }

std::vector<const ColumnInfo*> TableInfo::visible_columns() const {
  std::vector<const ColumnInfo*> result;
  for (const ColumnInfo& column : columns) {
    if (!column.filling) result.push_back(&column);
  }
  return result;
}

const ColumnInfo* TableInfo::find_column(std::string_view column_name) const {
  for (const ColumnInfo& column : columns) {
    if (!column.filling && column.name == column_name) return &column;
  }
  return nullptr;
}

const ColumnInfo* TableInfo::column_by_id(std::int64_t id) const {
  for (const ColumnInfo& column : columns) {
    if (!column.filling && column.id == id) return &column;
  }
  return nullptr;
}

const ConstraintInfo* TableInfo::primary_key() const {
  for (const ConstraintInfo& constraint : constraints) {
    if (constraint.kind == ConstraintKind::kPrimaryKey) return &constraint;
  }
  return nullptr;
}

bool TableInfo::has_media() const {
  return std::any_of(columns.begin(), columns.end(), [](const ColumnInfo& column) {
    return !column.computed() && column.media_kind().has_value();
  });
}

bool TableInfo::has_engine_columns() const {
  return std::any_of(columns.begin(), columns.end(),
                     [](const ColumnInfo& column) { return column.uses_engine; });
}

TableInfo with_fills(const TableInfo& table) {
  TableInfo future = table;
  std::erase_if(future.columns, [&](const ColumnInfo& column) {
    return !column.filling &&
           std::any_of(table.columns.begin(), table.columns.end(), [&](const ColumnInfo& other) {
             return other.filling && other.id == column.id;
           });
  });
  for (ColumnInfo& column : future.columns) column.filling = false;
  return future;
}

std::string visible_at(const VersionInfo& version) {
  if (version.open_ops.empty()) {
    return fmt::format("_from <= {0} AND _to > {0}", version.high_op);
  }
  return fmt::format(
      "_from <= {0} AND _from <> ALL ('{{{1}}}'::bigint[])"
      " AND (_to > {0} OR _to = ANY ('{{{1}}}'::bigint[]))",
      version.high_op, fmt::join(version.open_ops, ","));
}

}  // namespace coppice::catalog
