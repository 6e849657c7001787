#include "engine/table_draft.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/text.h"
#include "catalog/expressions.h"
#include "sql/deparse.h"
#include "sql/parse.h"
#include "sql/read.h"
#include "sql/references.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::ConstraintKind;
using sql::as;
using sql::error_at;
using sql::SourceText;

struct SerialType {
  std::string_view serial;
  std::string_view type;
};
constexpr std::size_t kMostNameBytes = 63;

constexpr std::array<SerialType, 6> kSerialTypes = {{{"serial", "integer"},
                                                     {"serial4", "integer"},
                                                     {"bigserial", "bigint"},
                                                     {"serial8", "bigint"},
                                                     {"smallserial", "smallint"},
                                                     {"serial2", "smallint"}}};

void set_expression(ColumnDraft& column, const PgQuery__Constraint& constraint,
                    const SourceText& source) {
  if (column.info.default_sql) {
    throw error_at(ErrorCode::kSyntax, source, constraint.location,
                   fmt::format("column \"{}\" has both a default and a generation expression",
                               column.info.name));
  }
  column.info.expression = sql::deparse_expression(constraint.raw_expr);
  catalog::check_expression_form(*column.info.expression, "computed column");
}

void set_default(ColumnDraft& column, const PgQuery__Constraint& constraint,
                 const SourceText& source) {
  if (column.info.computed() || column.info.identity || column.serial) {
    throw error_at(
        ErrorCode::kSyntax, source, constraint.location,
        fmt::format("column \"{}\" has more than one source of its value", column.info.name));
  }
  column.info.default_sql = sql::deparse_expression(constraint.raw_expr);
  catalog::check_expression_form(*column.info.default_sql, "default");
}

void read_column_constraint(ColumnDraft& column, const PgQuery__Constraint& constraint,
                            const SourceText& source, TableDraft& draft) {
  const auto add = [&](ConstraintKind kind) {
    ConstraintDraft added;
    added.kind = kind;
    added.name = constraint.conname == nullptr ? "" : constraint.conname;
    added.columns = {column.info.name};
    added.nulls_distinct = !constraint.nulls_not_distinct;
    added.location = constraint.location;
    draft.constraints.push_back(std::move(added));
  };
  switch (constraint.contype) {
    case PG_QUERY__CONSTR_TYPE__CONSTR_NULL:
      return;
    case PG_QUERY__CONSTR_TYPE__CONSTR_NOTNULL:
      column.info.not_null = true;
      return;
    case PG_QUERY__CONSTR_TYPE__CONSTR_DEFAULT:
      return set_default(column, constraint, source);
    case PG_QUERY__CONSTR_TYPE__CONSTR_GENERATED:
      return set_expression(column, constraint, source);
    case PG_QUERY__CONSTR_TYPE__CONSTR_IDENTITY:
      return read_identity(column, constraint, source);
    case PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY:
      return add(ConstraintKind::kPrimaryKey);
    case PG_QUERY__CONSTR_TYPE__CONSTR_UNIQUE:
      return add(ConstraintKind::kUnique);
    case PG_QUERY__CONSTR_TYPE__CONSTR_CHECK:
      add(ConstraintKind::kCheck);
      draft.constraints.back().expression = sql::deparse_expression(constraint.raw_expr);
      catalog::check_expression_form(*draft.constraints.back().expression, "check");
      return;
    default:
      throw error_at(ErrorCode::kUnsupported, source, constraint.location,
                     "this kind of column constraint is not supported");
  }
}

void check_columns_exist(const TableDraft& draft, const std::string& table,
                         const SourceText& source) {
  std::vector<std::string> names;
  for (const ColumnDraft& column : draft.columns) {
    if (std::count(names.begin(), names.end(), column.info.name) > 0) {
      throw error_at(ErrorCode::kAlreadyExists, source, column.location,
                     fmt::format("column \"{}\" specified more than once", column.info.name));
    }
    names.push_back(column.info.name);
  }
  bool has_primary_key = false;
  for (const ConstraintDraft& constraint : draft.constraints) {
    for (const std::string& column : constraint.columns) {
      if (std::count(names.begin(), names.end(), column) > 0) continue;
      throw error_at(ErrorCode::kNotFound, source, constraint.location,
                     fmt::format("column \"{}\" named in key does not exist", column),
                     did_you_mean(column, names));
    }
    if (constraint.kind != ConstraintKind::kPrimaryKey) continue;
    if (has_primary_key) {
      throw error_at(ErrorCode::kSyntax, source, constraint.location,
                     fmt::format("multiple primary keys for table \"{}\" are not allowed", table));
    }
    has_primary_key = true;
  }
}

// The column that a check is about; nothing when it is about several, or none.
std::string only_column(const std::string& expression) {
  sql::Statement statement = sql::parse_expression(expression);
  std::set<std::string> names;
  for (const PgQuery__ColumnRef* reference : sql::collect_column_refs(statement.node())) {
    names.insert(sql::column_ref_names(*reference).back());
  }
  return names.size() == 1 ? *names.begin() : "";
}

}  // namespace

void refuse_reserved_name(const std::string& column, const SourceText& source,
                          std::ptrdiff_t location) {
  if (column != "_row" && column != "_from" && column != "_to") return;
  throw error_at(ErrorCode::kRefused, source, location,
                 fmt::format("column name \"{}\" is reserved", column),
                 "choose a name that does not begin with an underscore");
}

std::string sequence_option(const sql::Option& option, const SourceText& source) {
  const std::string value = option.value.value_or("");
  const bool number = !value.empty() && value.find_first_not_of("-0123456789") == std::string::npos;
  if (option.name == "cycle") return value == "false" ? " NO cycle" : " cycle";
  if (option.name == "restart") return number ? " restart " + value : " restart";
  const bool bound = option.name == "minvalue" || option.name == "maxvalue";
  if (bound && !option.value) return " NO " + option.name;
  if (number &&
      (bound || option.name == "start" || option.name == "increment" || option.name == "cache")) {
    return " " + option.name + " " + value;
  }
  throw error_at(ErrorCode::kUnsupported, source, option.location,
                 fmt::format("identity option {} is not supported", option.name));
}

void read_identity(ColumnDraft& column, const PgQuery__Constraint& constraint,
                   const SourceText& source) {
  column.info.identity =
      std::string_view(constraint.generated_when) == "a" ? "always" : "by default";
  column.info.not_null = true;
  std::map<std::string, std::string> given;
  for (const sql::Option& option : sql::options_in(constraint.n_options, constraint.options)) {
    given[option.name] = sequence_option(option, source);
  }
  // In a fixed order and without what is so anyway, to be compared.
  for (const char* name : {"start", "increment", "minvalue", "maxvalue", "cache", "cycle"}) {
    const auto found = given.find(name);
    if (found == given.end()) continue;
    const std::string& text = found->second;
    if (text.starts_with(" NO ") || text == fmt::format(" {} 1", name)) continue;
    column.sequence_options += text;
  }
}

void apply_column_option(ColumnInfo& column, const sql::Option& option, const SourceText& source) {
  const auto refuse = [&](std::string_view allowed) {
    throw error_at(ErrorCode::kSyntax, source, option.location,
                   fmt::format("option {} of column \"{}\" cannot be '{}'", option.name,
                               column.name, option.value.value_or("")),
                   fmt::format("it may be {}", allowed));
  };
  if (option.name == "on_error") {
    if (option.value != "abort" && option.value != "ignore") refuse("'abort' or 'ignore'");
    if (!column.computed() && !column.derived) {
      throw error_at(
          ErrorCode::kSyntax, source, option.location,
          fmt::format("option on_error belongs to computed columns; \"{}\" is none", column.name));
    }
    column.on_error =
        option.value == "ignore" ? catalog::OnError::kIgnore : catalog::OnError::kAbort;
  } else if (option.name == "backup") {
    if (option.value != "store" && option.value != "recompute" && option.value != "auto") {
      refuse("'store', 'recompute' or 'auto'");
    }
    column.backup = *option.value;
  } else if (option.name == "references") {
    if (option.value != "take" && option.value != "keep" && option.value != "auto") {
      refuse("'take', 'keep' or 'auto'");
    }
    if (!column.media_kind() || column.computed()) {
      throw error_at(
          ErrorCode::kSyntax, source, option.location,
          fmt::format("option references belongs to media columns that are given values; "
                      "\"{}\" is none",
                      column.name));
    }
    column.references = *option.value;
  } else {
    const std::vector<std::string> known = {"on_error", "backup", "references"};
    throw error_at(ErrorCode::kNotFound, source, option.location,
                   fmt::format("unknown column option \"{}\"", option.name),
                   did_you_mean(option.name, known));
  }
}

void read_column(const PgQuery__ColumnDef& definition, const SourceText& source,
                 TableDraft& draft) {
  ColumnDraft column;
  column.info.name = definition.colname;
  column.location = definition.location;
  refuse_reserved_name(column.info.name, source, definition.location);
  column.info.type = sql::type_text(*definition.type_name);
  for (const SerialType& entry : kSerialTypes) {
    if (column.info.type != entry.serial) continue;
    column.serial = true;
    column.info.type = entry.type;
    column.info.not_null = true;
  }
  draft.columns.push_back(column);
  ColumnDraft& added = draft.columns.back();
  for (const PgQuery__Node* node : sql::nodes(definition.n_constraints, definition.constraints)) {
    read_column_constraint(added, *as<PgQuery__Constraint>(node), source, draft);
  }
  for (const sql::Option& option :
       sql::options_in(definition.n_fdwoptions, definition.fdwoptions)) {
    apply_column_option(added.info, option, source);
  }
  if (added.info.computed() && (added.serial || added.info.identity)) {
    throw error_at(
        ErrorCode::kSyntax, source, definition.location,
        fmt::format("column \"{}\" has more than one source of its value", added.info.name));
  }
}

void read_table_constraint(const PgQuery__Constraint& constraint, const SourceText& source,
                           TableDraft& draft) {
  ConstraintDraft added;
  added.name = constraint.conname == nullptr ? "" : constraint.conname;
  added.location = constraint.location;
  switch (constraint.contype) {
    case PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY:
      added.kind = ConstraintKind::kPrimaryKey;
      added.columns = sql::names_in(constraint.n_keys, constraint.keys);
      break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_UNIQUE:
      added.kind = ConstraintKind::kUnique;
      added.nulls_distinct = !constraint.nulls_not_distinct;
      added.columns = sql::names_in(constraint.n_keys, constraint.keys);
      break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_CHECK:
      added.kind = ConstraintKind::kCheck;
      added.expression = sql::deparse_expression(constraint.raw_expr);
      catalog::check_expression_form(*added.expression, "check");
      break;
    default:
      throw error_at(ErrorCode::kUnsupported, source, constraint.location,
                     "this kind of table constraint is not supported");
  }
  draft.constraints.push_back(std::move(added));
}

TableDraft read_create_table(const PgQuery__CreateStmt& statement, const SourceText& source) {
  TableDraft draft;
  for (PgQuery__Node* node : sql::nodes(statement.n_table_elts, statement.table_elts)) {
    if (const auto* column = as<PgQuery__ColumnDef>(node)) {
      read_column(*column, source, draft);
    } else if (const auto* constraint = as<PgQuery__Constraint>(node)) {
      read_table_constraint(*constraint, source, draft);
    }
  }
  check_columns_exist(draft, statement.relation->relname, source);
  return draft;
}

std::string object_name(const std::string& table, const std::string& columns,
                        const std::string& label, const std::vector<std::string>& taken) {
  for (int number = 0;; ++number) {
    const std::string end = "_" + label + (number == 0 ? "" : std::to_string(number));
    std::string first = table, second = columns;
    const auto size = [&] {
      return first.size() + (second.empty() ? 0 : second.size() + 1) + end.size();
    };
    while (size() > kMostNameBytes) {
      std::string& longer = first.size() > second.size() ? first : second;
      do {
        longer.pop_back();
      } while (first_invalid_utf8(longer));
    }
    const std::string name = first + (second.empty() ? "" : "_" + second) + end;
    if (std::count(taken.begin(), taken.end(), name) == 0) return name;
  }
}

std::string constraint_name(const std::string& table, const ConstraintDraft& draft,
                            const std::vector<std::string>& taken) {
  if (!draft.name.empty()) return draft.name;
  switch (draft.kind) {
    case ConstraintKind::kPrimaryKey:
      return object_name(table, "", "pkey", taken);
    case ConstraintKind::kUnique:
      return object_name(table, join(draft.columns, "_"), "key", taken);
    case ConstraintKind::kCheck:
      return object_name(table, only_column(*draft.expression), "check", taken);
  }
  return {};
}

}  // namespace coppice::engine
