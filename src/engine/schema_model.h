// SchemaModel: a schema as plain values, read from the catalog or from a file.
//
// Model    Both sides of `apply` are read into this form, and `schema dump` writes it. Names carry
//          their schema ("public" too), types are written as PostgreSQL's format_type writes them,
//          expressions and queries as the deparser does: equal texts mean equal parse trees.
//          What a file leaves open (the name of a constraint) stays empty.
// Threads  Plain values. Source texts are borrowed from the statements the model keeps.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/table_draft.h"
#include "sql/names.h"
#include "sql/parse.h"
#include "sql/source_text.h"

namespace coppice::engine {

// Where something is described: a statement of the file. Empty for what the catalog says.
struct SchemaPlace {
  sql::SourceText source;
  std::ptrdiff_t location = -1;
};

struct IndexModel {
  std::string name;        // empty in a file: to be chosen
  std::string definition;  // "CREATE INDEX ON films.film USING btree (year)", without its name
  SchemaPlace place;
};

// A table or a materialized view.
struct TableModel {
  sql::QualifiedName name;
  std::optional<std::string> query;  // of a materialized view; its draft has its own columns only
  TableDraft draft;                  // columns by position, with their comments; constraints
  std::vector<IndexModel> indexes;
  std::optional<std::string> comment;
  std::optional<std::string> retention;
  SchemaPlace place;

  const ColumnDraft* find_column(std::string_view column) const;
};

struct ViewModel {
  sql::QualifiedName name;
  std::vector<std::string> columns;  // of CREATE VIEW name (a, b); empty: the query's own
  std::string definition;
  std::optional<std::string> comment;
  SchemaPlace place;
};

struct FunctionModel {
  sql::QualifiedName name;
  std::string id;            // schema, name and types of the arguments
  std::string reference;     // as DROP and COMMENT name it
  std::string text;          // CREATE OR REPLACE FUNCTION, in one form
  bool after_views = false;  // its body reads tables
  std::optional<std::string> comment;
  SchemaPlace place;
};

struct NamedSchema {
  std::string name;
  std::optional<std::string> comment;
  SchemaPlace place;
};

// One right of one role: SELECT on a table or view (or one column of it), USAGE on a schema.
struct GrantModel {
  bool on_schema = false;
  sql::QualifiedName object;  // of a schema only `name`
  std::string column;         // empty: the whole relation
  std::string grantee;        // empty: PUBLIC
  bool with_grant_option = false;
  SchemaPlace place;

  bool same_right(const GrantModel& other) const;
};

struct SchemaModel {
  std::vector<NamedSchema> schemas;  // "public" is always there and not among them
  std::vector<FunctionModel> functions;
  std::vector<TableModel> tables;
  std::vector<ViewModel> views;
  std::vector<GrantModel> grants;
  std::vector<sql::Statement> statements;  // what source texts point into

  const TableModel* find_table(const sql::QualifiedName& name) const;
  const ViewModel* find_view(const sql::QualifiedName& name) const;
  const FunctionModel* find_function(std::string_view id) const;
  const NamedSchema* find_schema(std::string_view name) const;
};

// "integer" for "int4", "timestamp with time zone" for "timestamptz", "image" for "coppice.image".
std::string canonical_type(const std::string& type);

// An index definition without name and options of the statement (CONCURRENTLY, IF NOT EXISTS),
// over `table`; with a name it is a statement again.
std::string index_definition(sql::Statement& statement, const sql::QualifiedName& table,
                             const std::string& name);

// The names of the columns that an expression reads, from its text alone.
std::vector<std::string> names_read(const std::string& expression);

// Puts each view behind those that its query reads.
void sort_by_dependency(std::vector<ViewModel>& views);

}  // namespace coppice::engine
