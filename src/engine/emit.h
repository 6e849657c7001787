// Results on their way to the sink, with the SQL names of their types.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/context.h"
#include "engine/result_sink.h"
#include "pg/result.h"
#include "pg/row_stream.h"

namespace coppice::engine {

// The columns as users see them: a domain of ours by its own name ("image").
std::vector<ResultColumn> result_columns(EngineContext& context,
                                         const std::vector<pg::Column>& columns);
void emit_result(EngineContext& context, const pg::Result& result, ResultSink& sink);
// Several results of one statement, as one set of rows.
void emit_results(EngineContext& context, const std::vector<pg::Result>& results, ResultSink& sink);
// Returns the number of rows.
std::uint64_t emit_stream(EngineContext& context, pg::RowStream& stream, ResultSink& sink);

// One set of rows made by the engine itself, every value a text of the type given.
class RowsOut {
 public:
  RowsOut(ResultSink& sink, std::vector<ResultColumn> columns);
  ~RowsOut() = default;
  void row(const std::vector<std::optional<std::string>>& values);
  void end();

 private:
  ResultSink& sink_;
};

}  // namespace coppice::engine
