#include "engine/query.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "engine/emit.h"
#include "engine/engine_query.h"
#include "engine/estimate.h"
#include "engine/explain_write.h"
#include "engine/statement_tools.h"
#include "exec/binder.h"
#include "exec/kinds.h"
#include "pg/transaction.h"
#include "sql/deparse.h"
#include "sql/lexer.h"
#include "sql/read.h"
#include "sql/references.h"

namespace coppice::engine {
namespace {

using sql::as;

constexpr std::string_view kInvalidText = "22P02";

// The statement as PostgreSQL is to see it: the user's own text where nothing had to change, so
// that its positions are the user's too.
std::string text_for_server(sql::Statement& statement, bool changed) {
  if (!changed && statement.parameters().empty()) return std::string(statement.text());
  return sql::deparse(statement.node());
}

bool reads_versions(EngineContext& context, sql::Statement& statement) {
  for (const sql::RelationUse& use : sql::collect_relations(statement.node())) {
    const sql::QualifiedName name = sql::relation_name(*use.relation);
    if (name.name.find(':') == std::string::npos) continue;
    if (context.catalog.split_version(name).version) return true;
  }
  return false;
}

bool names_media_type(sql::Statement& statement) {
  bool found = false;
  sql::walk(statement.node(), [&](sql::Message& message) {
    const auto* type = as<PgQuery__TypeName>(message);
    if (type != nullptr && type->n_names == 1) {
      const auto* name = as<PgQuery__String>(type->names[0]);
      found = found || (name != nullptr && catalog::media_kind_of_type(name->sval).has_value());
    }
    return found ? sql::Visit::kStop : sql::Visit::kInto;
  });
  return found;
}

// The server's own hint about arguments, and the nearest function of any kind.
std::string function_hint(EngineContext& context, const pg::ServerError& error) {
  const std::string& primary = error.fields().primary;  // function lenght(text) does not exist
  const std::size_t begin = primary.find(' ') + 1;
  const std::string wanted = primary.substr(begin, primary.find('(') - begin);
  // The main session may be in a transaction that this error has spoiled.
  const pg::Result known = context.side().exec_cached("SELECT DISTINCT proname FROM pg_proc", {});
  std::vector<std::string> names = context.functions.names();
  for (int row = 0; row < known.rows(); ++row) names.emplace_back(known.text(row, 0));
  if (std::find(names.begin(), names.end(), wanted) != names.end()) return error.hint();
  const std::string nearest = did_you_mean(wanted, names);
  return nearest.empty() ? error.hint() : nearest;
}

}  // namespace

// "relation does not exist", "column does not exist": with the nearest name we know.
std::string nearest_hint(EngineContext& context, const pg::ServerError& error) {
  if (error.sqlstate() == "42883") return function_hint(context, error);
  if (!error.hint().empty()) return error.hint();
  const std::string& primary = error.fields().primary;
  const std::size_t begin = primary.find('"');
  const std::size_t end = primary.find('"', begin + 1);
  if (error.sqlstate() != "42P01" || end == std::string::npos) return {};
  const std::string wanted = primary.substr(begin + 1, end - begin - 1);
  std::vector<std::string> names;
  for (const auto& list : {context.catalog.all_tables(), context.catalog.all_views()}) {
    for (const sql::QualifiedName& name : list) {
      names.push_back(name.schema + "." + name.name);
      if (name.schema == "public") names.push_back(name.name);
    }
  }
  return did_you_mean(wanted, names);
}

// "parameter $1" is the server's; the user has called it "$name".
std::string with_parameter_names(std::string message, const sql::Statement& statement) {
  constexpr std::string_view kParameter = "parameter $";
  const std::size_t at = message.find(kParameter);
  if (at == std::string::npos) return message;
  const std::size_t begin = at + kParameter.size();
  const std::size_t end = std::min(message.find_first_not_of("0123456789", begin), message.size());
  if (begin == end || end - begin > 5) return message;
  const std::size_t number = std::stoul(message.substr(begin, end - begin));
  if (number < 1 || number > statement.parameters().size()) return message;
  return message.replace(begin, end - begin, statement.parameters()[number - 1]);
}

Error query_error(EngineContext& context, const pg::ServerError& error, std::string_view sent,
                  const sql::Statement& statement) {
  std::ptrdiff_t place = -1;
  if (error.fields().position > 0) {
    const auto characters = static_cast<std::size_t>(error.fields().position - 1);
    place =
        place_in_source(sent, sql::byte_offset_of_character(sent, characters), statement.text());
  }
  return statement.error(error.code(), place, with_parameter_names(error.message(), statement),
                         nearest_hint(context, error));
}

void run_explain(EngineContext& context, sql::Statement& statement, const SqlParameters& parameters,
                 ResultSink& sink) {
  if (asks_for_estimate(statement)) {
    return explain_estimate(context, statement, parameters, sink);
  }
  auto& explain = *as<PgQuery__ExplainStmt>(statement.node());
  if (as<PgQuery__SelectStmt>(explain.query) == nullptr) {
    return explain_write(context, statement, parameters, sink);
  }
  const std::vector<pg::Parameter> values = bind_parameters(statement, parameters);
  if (exec::mentions_engine_function(statement.node(), context.functions) ||
      reads_engine_view(context, statement)) {
    return explain_engine_query(context, statement, values, sink);
  }
  resolve_versions(context, statement);
  qualify_media_types(sql::message_of(statement.node()), statement.arena());
  const std::string sent = sql::deparse(statement.node());
  try {
    pg::Transaction transaction(context.reader(), pg::TransactionMode::kReadOnlySnapshot);
    emit_result(context, context.reader().exec_params(sent, values), sink);
  } catch (const pg::ServerError& error) {
    throw query_error(context, error, sent, statement);
  }
}

std::uint64_t run_query(EngineContext& context, sql::Statement& statement,
                        const SqlParameters& parameters, ResultSink& sink) {
  const std::vector<pg::Parameter> values = bind_parameters(statement, parameters);
  if (exec::mentions_engine_function(statement.node(), context.functions) ||
      reads_engine_view(context, statement)) {
    return run_engine_query(context, statement, values, sink);
  }
  const bool changed = reads_versions(context, statement) || names_media_type(statement);
  if (changed) {
    resolve_versions(context, statement);
    qualify_media_types(sql::message_of(statement.node()), statement.arena());
  }
  const std::string sent = text_for_server(statement, changed);
  pg::Connection& reader = context.reader();
  try {
    pg::Transaction transaction(reader, pg::TransactionMode::kReadOnlySnapshot);
    pg::RowStream stream(reader, sent, values);
    return emit_stream(context, stream, sink);
  } catch (const pg::ServerError& error) {
    throw query_error(context, error, sent, statement);
  }
}

}  // namespace coppice::engine
