// Binder: finds the calls of engine functions and rewrites them so that nothing is left to guess.
//
// Model    A call becomes coppice."<stub name>"(arguments in order, each cast to its parameter's
//          type). The binder tells overloads apart by media kind and checks the kinds itself, for
//          to PostgreSQL all media are text. Everything else in the statement stays as it is.
//          A call is an engine call when its name is an engine function's, without schema or with
//          the schema coppice; where the server has a function of that name too (encode, text),
//          only when its first argument is media. In a SELECT engine functions may stand in the
//          select list and in WHERE, also of subqueries in FROM and of CTEs; elsewhere they are
//          refused with what to write instead. An iterator may stand only where the caller says.
// Errors   kType for a wrong kind, kUsage for wrong arguments, kNotFound for an unknown function of
//          the schema coppice, kUnsupported for a place where they may not stand; all with line,
//          column and caret.
// Threads  As the tree.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "exec/kinds.h"
#include "pg/server_error.h"
#include "sql/source_text.h"

namespace coppice::exec {

// A string constant that stands where media of one kind is wanted: a file name or URL that the
// engine replaces by a media name (changing literal->sval->sval) before anything runs.
struct MediaLiteral {
  PgQuery__AConst* literal;
  MediaKind kind;
};

struct BindContext {
  sql::Arena& arena;
  const FunctionTable& functions;
  RelationKinds& relations;
  sql::SourceText source;  // what locations refer to; empty: errors have no place

  // What binding found:
  int engine_calls = 0;
  std::vector<MediaLiteral> literals;
  std::optional<ColumnKinds> columns;  // of a SELECT: what its result columns are, if that is known

  // The one call that may be of an iterator: that in the FROM of a materialized view.
  const PgQuery__FuncCall* iterator = nullptr;

  KindContext kinds() const { return {functions, relations}; }
};

// By names only, fast: false means that there is nothing to bind.
bool mentions_engine_function(const sql::Node* node, const FunctionTable& functions);

// Whether it calls an iterator, by its name.
bool is_iterator_call(const PgQuery__FuncCall& call, const FunctionTable& functions);

void bind_expression(sql::Node*& expression, const Scope& scope, BindContext& context);

// Columns of select lists with engine calls and without alias also get the name that PostgreSQL
// would have given them.
void bind_select(PgQuery__SelectStmt& select, BindContext& context);

// "There is no … did you mean …?" for PostgreSQL's "function x(…) does not exist"; empty when that
// is not the error or no engine function has a name like that.
std::string unknown_function_hint(const pg::ServerError& error, const FunctionTable& functions);

}  // namespace coppice::exec
