// refused_part and refused_alteration of refusals.h: what stands inside of statements.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "sql/read.h"
#include "sql/refusals.h"

namespace coppice::sql {
namespace {

constexpr std::string_view kReferencesHint =
    "check the key when you insert: INSERT … SELECT … WHERE EXISTS (…); references may come later";
constexpr std::string_view kPartitionHint =
    "use one table: rows are found by index, old versions are removed by `coppice prune`";
constexpr std::string_view kTablespaceHint = "choose the disk with COPPICE_HOME or --home";

using Found = std::optional<Refusal>;

Found refuse(std::string_view what, std::string_view hint, std::int32_t location = -1) {
  return Refusal{std::string(what), std::string(hint), location};
}

std::int32_t location_of(const PgQuery__RangeVar* relation) {
  return relation ? relation->location : -1;
}

std::string_view lock_words(PgQuery__LockClauseStrength strength) {
  switch (strength) {
    case PG_QUERY__LOCK_CLAUSE_STRENGTH__LCS_FORKEYSHARE:
      return "FOR KEY SHARE";
    case PG_QUERY__LOCK_CLAUSE_STRENGTH__LCS_FORSHARE:
      return "FOR SHARE";
    case PG_QUERY__LOCK_CLAUSE_STRENGTH__LCS_FORNOKEYUPDATE:
      return "FOR NO KEY UPDATE";
    default:
      return "FOR UPDATE";
  }
}

Found refused_with_query(const PgQuery__CommonTableExpr& query) {
  const auto refused = [&](std::string_view verb) {
    return refuse(fmt::format("WITH … {}", verb),
                  "run the change as a statement of its own; RETURNING gives its rows",
                  query.location);
  };
  if (as<PgQuery__InsertStmt>(query.ctequery)) return refused("INSERT");
  if (as<PgQuery__UpdateStmt>(query.ctequery)) return refused("UPDATE");
  if (as<PgQuery__DeleteStmt>(query.ctequery)) return refused("DELETE");
  if (as<PgQuery__MergeStmt>(query.ctequery)) return refused("MERGE");
  return std::nullopt;
}

Found refused_constraint(const PgQuery__Constraint& constraint) {
  switch (constraint.contype) {
    case PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN: {
      const bool of_table = constraint.n_fk_attrs > 0;
      return refuse(of_table ? "FOREIGN KEY" : "REFERENCES", kReferencesHint, constraint.location);
    }
    case PG_QUERY__CONSTR_TYPE__CONSTR_EXCLUSION:
      return refuse("EXCLUDE", "use UNIQUE or CHECK", constraint.location);
    case PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_DEFERRABLE:
    case PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_DEFERRED:
      return refuse("DEFERRABLE", "constraints are checked when a statement is published",
                    constraint.location);
    default:
      break;
  }
  if (constraint.deferrable || constraint.initdeferred) {
    return refuse("DEFERRABLE", "constraints are checked when a statement is published",
                  constraint.location);
  }
  if (constraint.is_no_inherit) {
    return refuse("NO INHERIT", "leave it out: there is no inheritance", constraint.location);
  }
  if (*constraint.indexspace) {
    return refuse("USING INDEX TABLESPACE", kTablespaceHint, constraint.location);
  }
  if (*constraint.indexname) {
    return refuse("USING INDEX", "name the columns: UNIQUE (a, b)", constraint.location);
  }
  const bool key = constraint.contype == PG_QUERY__CONSTR_TYPE__CONSTR_UNIQUE ||
                   constraint.contype == PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY;
  if (key && constraint.n_options > 0) {
    return refuse("WITH (…) of a key", "leave it out", constraint.location);
  }
  if (constraint.n_including > 0) {
    return refuse("INCLUDE of a key", "make an index beside it: CREATE INDEX … INCLUDE (…)",
                  constraint.location);
  }
  if (constraint.skip_validation) {
    return refuse("NOT VALID", "repair the rows first, then add the constraint",
                  constraint.location);
  }
  return std::nullopt;
}

Found refused_persistence(const PgQuery__RangeVar& relation) {
  const std::string_view persistence = relation.relpersistence;
  if (persistence == "t") {
    return refuse("a TEMP table or view", "use WITH name AS (SELECT …), or a table that you drop",
                  relation.location);
  }
  if (persistence == "u") {
    return refuse("UNLOGGED", "leave it out: every table is durable", relation.location);
  }
  return std::nullopt;
}

Found refused_create(const PgQuery__CreateStmt& create) {
  const std::int32_t location = location_of(create.relation);
  if (create.partbound) return refuse("PARTITION OF", kPartitionHint, location);
  if (create.partspec) return refuse("PARTITION BY", kPartitionHint, create.partspec->location);
  if (create.n_inh_relations > 0) {
    return refuse("INHERITS", "name all columns in each table, or use a view", location);
  }
  if (create.of_typename) {
    return refuse("CREATE TABLE OF", "name the columns", create.of_typename->location);
  }
  if (*create.tablespacename) return refuse("TABLESPACE", kTablespaceHint, location);
  if (*create.access_method) return refuse("USING", "leave it out", location);
  return std::nullopt;
}

Found refused_into(const PgQuery__IntoClause& into) {
  const std::int32_t location = location_of(into.rel);
  if (*into.table_space_name) return refuse("TABLESPACE", kTablespaceHint, location);
  if (*into.access_method) return refuse("USING", "leave it out", location);
  if (into.n_options > 0) {
    return refuse("WITH (…) of CREATE TABLE AS", "set it afterwards: ALTER TABLE … SET (…)",
                  location);
  }
  return std::nullopt;
}

Found refused_column(const PgQuery__ColumnDef& column) {
  if (column.coll_clause != nullptr) {
    return refuse(
        "COLLATE of a column",
        "write it where it counts: ORDER BY a COLLATE \"C\", CREATE INDEX … (a COLLATE …)",
        column.coll_clause->location);
  }
  if (!*column.compression) return std::nullopt;
  return refuse("COMPRESSION", "leave it out: media lie in the media store", column.location);
}

Found refused_create_as(const PgQuery__CreateTableAsStmt& create) {
  const std::int32_t location = create.into ? location_of(create.into->rel) : -1;
  if (create.query && create.query->node_case == PG_QUERY__NODE__NODE_EXECUTE_STMT) {
    return refuse("CREATE TABLE AS EXECUTE", "write the SELECT itself", location);
  }
  if (create.objtype == PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW && create.into &&
      create.into->skip_data) {
    return refuse("CREATE MATERIALIZED VIEW … WITH NO DATA",
                  "leave it out: a materialized view is always fresh", location);
  }
  return std::nullopt;
}

// A statement that changes settings while it runs could change what its own rows are taken for.
Found refused_call(const PgQuery__FuncCall& call) {
  if (call.n_funcname == 0) return std::nullopt;
  const auto* name = as<PgQuery__String>(call.funcname[call.n_funcname - 1]);
  if (name == nullptr || std::string_view(name->sval) != "set_config") return std::nullopt;
  return refuse("set_config()", "use a statement of its own: SET name = value", call.location);
}

// The first refusal in one message itself, whatever stands around it.
Found refused_message(Message& message) {
  if (auto* select = as<PgQuery__SelectStmt>(message)) {
    if (!select->into_clause) return std::nullopt;
    return refuse("SELECT INTO", "use CREATE TABLE name AS SELECT …",
                  location_of(select->into_clause->rel));
  }
  if (auto* lock = as<PgQuery__LockingClause>(message)) {
    const std::int32_t location =
        lock->n_locked_rels > 0 ? location_of(as<PgQuery__RangeVar>(lock->locked_rels[0])) : -1;
    return refuse(lock_words(lock->strength),
                  "leave it out: conflicting writers are found when they publish", location);
  }
  if (auto* query = as<PgQuery__CommonTableExpr>(message)) return refused_with_query(*query);
  if (auto* constraint = as<PgQuery__Constraint>(message)) return refused_constraint(*constraint);
  if (auto* relation = as<PgQuery__RangeVar>(message)) return refused_persistence(*relation);
  if (auto* create = as<PgQuery__CreateStmt>(message)) return refused_create(*create);
  if (auto* into = as<PgQuery__IntoClause>(message)) return refused_into(*into);
  if (auto* column = as<PgQuery__ColumnDef>(message)) return refused_column(*column);
  if (auto* create = as<PgQuery__CreateTableAsStmt>(message)) return refused_create_as(*create);
  if (auto* call = as<PgQuery__FuncCall>(message)) return refused_call(*call);
  if (auto* like = as<PgQuery__TableLikeClause>(message)) {
    return refuse("LIKE in CREATE TABLE",
                  "name the columns, or use CREATE TABLE new AS TABLE old WITH NO DATA",
                  location_of(like->relation));
  }
  if (auto* copy = as<PgQuery__CopyStmt>(message)) {
    if (!copy->is_program) return std::nullopt;
    return refuse("COPY PROGRAM", "pipe it: program | coppice insert TABLE --from -");
  }
  if (auto* schema = as<PgQuery__CreateSchemaStmt>(message)) {
    if (schema->n_schema_elts == 0) return std::nullopt;
    return refuse("CREATE SCHEMA with elements", "create each table by a statement of its own");
  }
  if (auto* view = as<PgQuery__ViewStmt>(message)) {
    if (view->n_options > 0) {
      return refuse("WITH (…) of a view", "leave it out: a view is its query and nothing else",
                    location_of(view->view));
    }
    if (view->with_check_option <= PG_QUERY__VIEW_CHECK_OPTION__NO_CHECK_OPTION) return {};
    return refuse("WITH CHECK OPTION", "leave it out: views are read-only",
                  location_of(view->view));
  }
  if (auto* index = as<PgQuery__IndexStmt>(message)) {
    if (*index->table_space) {
      return refuse("TABLESPACE", kTablespaceHint, location_of(index->relation));
    }
    if (!index->concurrent) return std::nullopt;
    return refuse("CONCURRENTLY", "leave it out; writers wait while the index is made",
                  location_of(index->relation));
  }
  if (message.descriptor == &pg_query__current_of_expr__descriptor) {
    return refuse("WHERE CURRENT OF", "name the rows by their key: WHERE id = …");
  }
  return std::nullopt;
}

// Rows within rows: PostgreSQL writes one with its quotes doubled at each level, so that 30 levels
// take the server a gigabyte. Messages come to it parents first.
class RowNesting {
 public:
  Found refused(Message& message) {
    const auto known = levels_.find(&message);
    std::size_t level = known == levels_.end() ? 0 : known->second;
    if (auto* row = as<PgQuery__RowExpr>(message)) {
      if (++level > kMostLevels) {
        return refuse(fmt::format("a row within {} others", kMostLevels),
                      "write lists as arrays, or objects as jsonb_build_object(…)", row->location);
      }
    }
    if (level > 0) for_each_child(message, [&](Message& child) { levels_[&child] = level; });
    return std::nullopt;
  }

 private:
  static constexpr std::size_t kMostLevels = 16;
  std::unordered_map<const Message*, std::size_t> levels_;  // of what is below a row
};

struct Alteration {
  PgQuery__AlterTableType type;
  std::string_view words;
};

#define COPPICE_SQL_AT(name) PG_QUERY__ALTER_TABLE_TYPE__AT_##name
constexpr std::array kSupportedAlterations = {
    COPPICE_SQL_AT(AddColumn),       COPPICE_SQL_AT(DropColumn),
    COPPICE_SQL_AT(ColumnDefault),   COPPICE_SQL_AT(DropNotNull),
    COPPICE_SQL_AT(SetNotNull),      COPPICE_SQL_AT(DropExpression),
    COPPICE_SQL_AT(SetOptions),      COPPICE_SQL_AT(ResetOptions),
    COPPICE_SQL_AT(AddConstraint),   COPPICE_SQL_AT(DropConstraint),
    COPPICE_SQL_AT(AlterColumnType), COPPICE_SQL_AT(AlterColumnGenericOptions),
    COPPICE_SQL_AT(SetRelOptions),   COPPICE_SQL_AT(ResetRelOptions),
    COPPICE_SQL_AT(AddIdentity),     COPPICE_SQL_AT(SetIdentity),
    COPPICE_SQL_AT(DropIdentity),
};
constexpr std::array kNamedAlterations = {
    Alteration{COPPICE_SQL_AT(ChangeOwner), "OWNER TO"},
    Alteration{COPPICE_SQL_AT(SetStatistics), "SET STATISTICS"},
    Alteration{COPPICE_SQL_AT(SetStorage), "SET STORAGE"},
    Alteration{COPPICE_SQL_AT(SetCompression), "SET COMPRESSION"},
    Alteration{COPPICE_SQL_AT(AlterConstraint), "ALTER CONSTRAINT"},
    Alteration{COPPICE_SQL_AT(ValidateConstraint), "VALIDATE CONSTRAINT"},
    Alteration{COPPICE_SQL_AT(ClusterOn), "CLUSTER ON"},
    Alteration{COPPICE_SQL_AT(DropCluster), "SET WITHOUT CLUSTER"},
    Alteration{COPPICE_SQL_AT(SetLogged), "SET LOGGED"},
    Alteration{COPPICE_SQL_AT(SetUnLogged), "SET UNLOGGED"},
    Alteration{COPPICE_SQL_AT(SetAccessMethod), "SET ACCESS METHOD"},
    Alteration{COPPICE_SQL_AT(SetTableSpace), "SET TABLESPACE"},
    Alteration{COPPICE_SQL_AT(AddInherit), "INHERIT"},
    Alteration{COPPICE_SQL_AT(DropInherit), "NO INHERIT"},
    Alteration{COPPICE_SQL_AT(AttachPartition), "ATTACH PARTITION"},
    Alteration{COPPICE_SQL_AT(DetachPartition), "DETACH PARTITION"},
    Alteration{COPPICE_SQL_AT(ReplicaIdentity), "REPLICA IDENTITY"},
    Alteration{COPPICE_SQL_AT(EnableRowSecurity), "ENABLE ROW LEVEL SECURITY"},
    Alteration{COPPICE_SQL_AT(DisableRowSecurity), "DISABLE ROW LEVEL SECURITY"},
    Alteration{COPPICE_SQL_AT(ForceRowSecurity), "FORCE ROW LEVEL SECURITY"},
    Alteration{COPPICE_SQL_AT(NoForceRowSecurity), "NO FORCE ROW LEVEL SECURITY"},
    Alteration{COPPICE_SQL_AT(EnableTrig), "ENABLE TRIGGER"},
    Alteration{COPPICE_SQL_AT(DisableTrig), "DISABLE TRIGGER"},
    Alteration{COPPICE_SQL_AT(EnableTrigAll), "ENABLE TRIGGER"},
    Alteration{COPPICE_SQL_AT(DisableTrigAll), "DISABLE TRIGGER"},
};
#undef COPPICE_SQL_AT

}  // namespace

Found refused_part(Node* statement) {
  Found found;
  RowNesting rows;
  walk(statement, [&](Message& message) {
    found = refused_message(message);
    if (!found) found = rows.refused(message);
    return found ? Visit::kStop : Visit::kInto;
  });
  return found;
}

Found refused_alteration(const PgQuery__AlterTableCmd& command) {
  if (std::find(kSupportedAlterations.begin(), kSupportedAlterations.end(), command.subtype) !=
      kSupportedAlterations.end()) {
    return std::nullopt;
  }
  const auto named = std::find_if(kNamedAlterations.begin(), kNamedAlterations.end(),
                                  [&](const Alteration& a) { return a.type == command.subtype; });
  return refuse(fmt::format("ALTER TABLE … {}",
                            named != kNamedAlterations.end() ? named->words : "in this form"),
                "storage, owners, triggers and partitions of tables are Coppice's own affair");
}

}  // namespace coppice::sql
