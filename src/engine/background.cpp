#include "engine/background.h"

#include <fmt/core.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "config/config.h"
#include "engine/operation_end.h"

namespace coppice::engine {
namespace {

using catalog::Operation;
using nlohmann::json;

constexpr int kMostStarts = 3;  // without getting further

void replace_job(EngineContext& context, const std::string& old_id, const Operation& operation) {
  const pg::Result replaced = context.main.exec_params(
      "UPDATE coppice.operations SET state = 'discarded', stage_name = NULL, message = $2, "
      "background = background || jsonb_build_object('continued_as', $3::text) "
      "WHERE format('%s-%s', tree_id, op_id) = $1 AND state = 'interrupted' AND "
      "coalesce(NOT detail ?| '{stage,create_view,fill}', true)",
      {old_id, "its command was run anew, as job " + operation.text(), operation.text()});
  if (replaced.affected_rows() > 0) return;
  const Error busy(ErrorCode::kBusy,
                   fmt::format("another process runs job {} anew already", old_id));
  context.log.fail(operation, end_state(busy), busy.message());
  throw busy;
}

void mark(EngineContext& context, const BackgroundCommand& run, const Operation& operation) {
  const json remembered = {
      {"words", run.words}, {"folder", run.folder}, {"starts", 1}, {"mark", 0}};
  // One that is started again has its own words, and its count.
  const json starts = run.replaces
                          ? json::parse(context.main
                                            .exec_params("SELECT coalesce(background, '{}') FROM "
                                                         "coppice.operations WHERE "
                                                         "format('%s-%s', tree_id, op_id) = $1",
                                                         {*run.replaces})
                                            .text(0, 0))
                          : json::object();
  context.main.exec_params(
      "UPDATE coppice.operations SET background = coalesce(background, $3::jsonb || $4::jsonb) "
      "WHERE tree_id = $1 AND op_id = $2",
      {std::to_string(operation.tree_id), std::to_string(operation.op_id), remembered.dump(),
       starts.dump()});
  if (run.replaces) replace_job(context, *run.replaces, operation);
}

}  // namespace

void run_in_background(EngineContext& context, BackgroundCommand run) {
  context.in_background = true;
  context.replaced_job = run.replaces;
  context.working = run.working;
  const auto job = std::make_shared<std::optional<BackgroundCommand>>(std::move(run));
  context.log.on_begin([&context, job](const Operation& operation) {
    if (!*job) return;
    const BackgroundCommand first = *std::exchange(*job, std::nullopt);
    mark(context, first, operation);
    if (first.begun) first.begun(operation.text());
  });
}

std::vector<JobToStart> jobs_to_start(EngineContext& context) {
  context.log.settle_abandoned();
  const pg::Result rows = context.main.exec_params(
      "UPDATE coppice.operations o SET background = o.background || jsonb_build_object("
      "'starts', CASE WHEN progress_done > (o.background->>'mark')::bigint THEN 1 "
      "ELSE (o.background->>'starts')::int + 1 END, 'mark', progress_done, "
      "'started_at', extract(epoch FROM clock_timestamp())) "
      "WHERE state = 'interrupted' AND background IS NOT NULL AND NOT background ? 'given_up' "
      "AND coalesce((background->>'started_at')::float8, 0) < "
      "extract(epoch FROM clock_timestamp()) - 5 "
      "RETURNING format('%s-%s', tree_id, op_id), background, "
      "coalesce(NOT detail ?| '{stage,create_view,fill}', true)",
      {});
  std::vector<JobToStart> jobs;
  for (int row = 0; row < rows.rows(); ++row) {
    const std::string id(rows.text(row, 0));
    const json background = json::parse(rows.text(row, 1));
    if (background.at("starts").get<int>() > kMostStarts) {
      context.main.exec_params(
          "UPDATE coppice.operations SET background = background || '{\"given_up\": true}', "
          "message = $2 WHERE format('%s-%s', tree_id, op_id) = $1",
          {id, fmt::format("its process ended {} times without getting further: it is not started "
                           "by itself any more",
                           kMostStarts)});
      continue;
    }
    jobs.push_back({id, background.at("words"), background.at("folder"), rows.boolean(row, 2)});
  }
  return jobs;
}

std::filesystem::path job_log_file(const Config& config, const std::string& id) {
  return config.home() / "log" / "jobs" / (id + ".log");
}

}  // namespace coppice::engine
