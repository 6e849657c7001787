#include "sql/classify.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "sql/refusals.h"

namespace coppice::sql {
namespace {

// A kind, or nullopt for what has none.
using Kind = std::optional<StatementKind>;

Kind kind_of_drop(const PgQuery__DropStmt& drop) {
  switch (drop.remove_type) {
    case PG_QUERY__OBJECT_TYPE__OBJECT_TABLE:
      return StatementKind::kDropTable;
    case PG_QUERY__OBJECT_TYPE__OBJECT_VIEW:
      return StatementKind::kDropView;
    case PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW:
      return StatementKind::kDropMaterializedView;
    case PG_QUERY__OBJECT_TYPE__OBJECT_INDEX:
      return StatementKind::kDropIndex;
    case PG_QUERY__OBJECT_TYPE__OBJECT_SCHEMA:
      return StatementKind::kDropSchema;
    case PG_QUERY__OBJECT_TYPE__OBJECT_FUNCTION:
    case PG_QUERY__OBJECT_TYPE__OBJECT_AGGREGATE:
      return StatementKind::kDropFunction;
    default:
      return std::nullopt;
  }
}

Kind kind_of_create_as(const PgQuery__CreateTableAsStmt& create) {
  return create.objtype == PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW
             ? StatementKind::kCreateMaterializedView
             : StatementKind::kCreateTableAs;
}

Kind kind_of(const Node* node) {
  switch (node->node_case) {
    case PG_QUERY__NODE__NODE_SELECT_STMT:
      return node->select_stmt->n_values_lists > 0 ? StatementKind::kValues
                                                   : StatementKind::kSelect;
    case PG_QUERY__NODE__NODE_INSERT_STMT:
      return StatementKind::kInsert;
    case PG_QUERY__NODE__NODE_UPDATE_STMT:
      return StatementKind::kUpdate;
    case PG_QUERY__NODE__NODE_DELETE_STMT:
      return StatementKind::kDelete;
    case PG_QUERY__NODE__NODE_TRUNCATE_STMT:
      return StatementKind::kTruncate;
    case PG_QUERY__NODE__NODE_COPY_STMT:
      return node->copy_stmt->is_from ? StatementKind::kCopyFrom : StatementKind::kCopyTo;
    case PG_QUERY__NODE__NODE_CREATE_STMT:
      return StatementKind::kCreateTable;
    case PG_QUERY__NODE__NODE_CREATE_TABLE_AS_STMT:
      return kind_of_create_as(*node->create_table_as_stmt);
    case PG_QUERY__NODE__NODE_CREATE_SCHEMA_STMT:
      return StatementKind::kCreateSchema;
    case PG_QUERY__NODE__NODE_VIEW_STMT:
      return StatementKind::kCreateView;
    case PG_QUERY__NODE__NODE_ALTER_TABLE_STMT:
      return StatementKind::kAlterTable;
    case PG_QUERY__NODE__NODE_RENAME_STMT:
      return StatementKind::kRename;
    case PG_QUERY__NODE__NODE_DROP_STMT:
      return kind_of_drop(*node->drop_stmt);
    case PG_QUERY__NODE__NODE_INDEX_STMT:
      return StatementKind::kCreateIndex;
    case PG_QUERY__NODE__NODE_CREATE_FUNCTION_STMT:
    case PG_QUERY__NODE__NODE_DEFINE_STMT:  // an aggregate: others are refused
      return StatementKind::kCreateFunction;
    case PG_QUERY__NODE__NODE_GRANT_STMT:
      return StatementKind::kGrant;
    case PG_QUERY__NODE__NODE_COMMENT_STMT:
      return StatementKind::kComment;
    case PG_QUERY__NODE__NODE_EXPLAIN_STMT:
      return StatementKind::kExplain;
    case PG_QUERY__NODE__NODE_VARIABLE_SHOW_STMT:
      return StatementKind::kShow;
    case PG_QUERY__NODE__NODE_VARIABLE_SET_STMT:
      return StatementKind::kSet;
    default:
      return std::nullopt;
  }
}

Classification refused(const Refusal& refusal) {
  return {StatementKind::kRefused, refusal.what + " is not supported", refusal.hint,
          refusal.location};
}

struct KindFacts {
  StatementKind kind;
  std::string_view name;
  bool is_write;
};

constexpr std::array kKinds = {
    KindFacts{StatementKind::kSelect, "SELECT", false},
    KindFacts{StatementKind::kValues, "VALUES", false},
    KindFacts{StatementKind::kInsert, "INSERT", true},
    KindFacts{StatementKind::kUpdate, "UPDATE", true},
    KindFacts{StatementKind::kDelete, "DELETE", true},
    KindFacts{StatementKind::kTruncate, "TRUNCATE", true},
    KindFacts{StatementKind::kCopyFrom, "COPY FROM", true},
    KindFacts{StatementKind::kCopyTo, "COPY TO", false},
    KindFacts{StatementKind::kCreateTable, "CREATE TABLE", true},
    KindFacts{StatementKind::kCreateTableAs, "CREATE TABLE AS", true},
    KindFacts{StatementKind::kCreateSchema, "CREATE SCHEMA", true},
    KindFacts{StatementKind::kDropSchema, "DROP SCHEMA", true},
    KindFacts{StatementKind::kCreateView, "CREATE VIEW", true},
    KindFacts{StatementKind::kCreateMaterializedView, "CREATE MATERIALIZED VIEW", true},
    KindFacts{StatementKind::kAlterTable, "ALTER TABLE", true},
    KindFacts{StatementKind::kRename, "RENAME", true},
    KindFacts{StatementKind::kDropTable, "DROP TABLE", true},
    KindFacts{StatementKind::kDropView, "DROP VIEW", true},
    KindFacts{StatementKind::kDropMaterializedView, "DROP MATERIALIZED VIEW", true},
    KindFacts{StatementKind::kCreateIndex, "CREATE INDEX", true},
    KindFacts{StatementKind::kDropIndex, "DROP INDEX", true},
    KindFacts{StatementKind::kCreateFunction, "CREATE FUNCTION", true},
    KindFacts{StatementKind::kDropFunction, "DROP FUNCTION", true},
    KindFacts{StatementKind::kGrant, "GRANT", true},
    KindFacts{StatementKind::kComment, "COMMENT", true},
    KindFacts{StatementKind::kExplain, "EXPLAIN", false},
    KindFacts{StatementKind::kShow, "SHOW", false},
    KindFacts{StatementKind::kSet, "SET", false},
    KindFacts{StatementKind::kRefused, "refused", false},
};

const KindFacts& facts(StatementKind kind) {
  return *std::find_if(kKinds.begin(), kKinds.end(),
                       [&](const KindFacts& entry) { return entry.kind == kind; });
}

}  // namespace

Classification classify(Node* statement) {
  if (const auto refusal = refused_statement(statement)) return refused(*refusal);
  if (const auto refusal = refused_part(statement)) return refused(*refusal);
  // EXPLAIN of a refused statement is refused as that statement.
  if (auto* explain = as<PgQuery__ExplainStmt>(statement)) {
    const Classification inner = classify(explain->query);
    if (inner.kind == StatementKind::kRefused) return inner;
  }
  if (const Kind kind = kind_of(statement)) return {*kind, {}, {}, -1};
  return refused({"this statement", "see `coppice sql --help` for the statements there are", -1});
}

Classification classify(Statement& statement) { return classify(statement.node()); }

StatementKind require_supported(Statement& statement) {
  const Classification found = classify(statement);
  if (found.kind == StatementKind::kRefused) {
    throw statement.error(ErrorCode::kUnsupported, std::max(found.location, 0), found.what,
                          found.hint);
  }
  return found.kind;
}

bool is_write(StatementKind kind) { return facts(kind).is_write; }

std::string_view kind_name(StatementKind kind) { return facts(kind).name; }

}  // namespace coppice::sql
