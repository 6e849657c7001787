// Staged run: the way every staged operation takes, from its stage to its version.
//
// Model    load, take media, check, compute, let the materialized views follow, publish. When
// publishing finds that rows were changed
//          by others meanwhile, those are loaded and computed again; when the table was altered,
//          the stage gets the new columns. Three rounds of either, then it is a conflict.
// Faults   A process that dies leaves the stage and an operation listed as interrupted.
// Errors   As in staged_write.h; an operation that failed leaves no stage.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/stage.h"
#include "engine/view_stages.h"
#include "sql/parse.h"

namespace coppice::engine {

// What differs between INSERT, UPDATE, DELETE, COPY and recompute.
struct StagedPlan {
  std::string_view kind;
  std::string tag;          // "INSERT 0", "UPDATE", …
  bool tells_count = true;  // behind the tag
  // Fills the stage. With rows: only for those current rows (they were changed meanwhile).
  std::function<void(Stage&, const std::vector<std::int64_t>& rows)> load;
  std::string rows_query;  // of an UPDATE: gives the ids of the rows; empty when workers decide
  std::function<void(Stage&)> after_media;  // ON CONFLICT
  std::set<std::string> media;              // columns whose values may be files or URLs
  bool skip_bad_media = false;              // leave rows out whose files cannot be taken
  std::function<std::vector<const catalog::ColumnInfo*>(const catalog::TableInfo&)> computed;
  std::string returning;  // a select list, or empty
  std::string alias;
  // A revert: views that this version had go back to it, too.
  std::optional<catalog::VersionInfo> restores;
  // A waiting operation of this session that has kept nothing of its rows: they are read again.
  std::optional<catalog::Operation> resumes;
  std::function<void()> in_publish;  // what else belongs to the transaction that publishes
};

void run_staged(EngineContext& context, catalog::TablePointer table, std::string_view statement,
                const StagedPlan& plan, ResultSink& sink);

// Publishes a stage whose rows are loaded and computed, and tells the sink. `table` follows when it
// was altered meanwhile.
void publish_staged(EngineContext& context, catalog::TablePointer& table, Stage& stage,
                    ViewStages& views, catalog::Operation& operation, const StagedPlan& plan,
                    ResultSink& sink);

// Puts the rows of a query into columns (of these types) of the stage.
void load_query(EngineContext& context, const Stage& stage, const std::vector<std::string>& columns,
                const std::vector<std::string>& types, sql::Statement& query,
                const std::vector<pg::Parameter>& values);

}  // namespace coppice::engine
