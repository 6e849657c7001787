#include "engine/schema_apply.h"

#include <fmt/core.h>

#include <algorithm>

#include "engine/emit.h"
#include "engine/fill.h"
#include "engine/operation_end.h"
#include "engine/quiet_sinks.h"
#include "engine/schema_catalog.h"
#include "engine/schema_file.h"
#include "engine/schema_step.h"
#include "pg/transaction.h"

namespace coppice::engine {
namespace {

void show(const SchemaPlan& plan, ResultSink& sink) {
  if (!plan.steps.empty()) {
    RowsOut rows(sink, {{"action", "text"}, {"object", "text"}, {"sql", "text"}});
    for (const SchemaStep& step : plan.steps) rows.row({step.action, step.object, step.sql});
    rows.end();
  }
  for (const std::string& notice : plan.notices) sink.notice(notice);
  if (plan.changes()) return;
  sink.notice(plan.steps.empty() ? "nothing to do: the schema is what the file says"
                                 : "nothing to do: the schema has all that the file says");
}

bool is_change_of_type(const SchemaStep& step) {
  return step.is_fill() && step.work == SchemaStep::Work::kRun;
}

void forget_rehearsal(EngineContext& context) {
  context.forget_catalog();
  context.refresh_functions();
}

void rehearse(EngineContext& context, const SchemaPlan& plan) {
  SilentSink silent;
  const bool changes_type = std::any_of(plan.steps.begin(), plan.steps.end(), is_change_of_type);
  try {
    const pg::EnclosingTransaction all(context.main);
    for (const SchemaStep& step : plan.steps) {
      context.check_stop();
      if (step.phase == SchemaPhase::kKept || is_change_of_type(step)) continue;
      if (changes_type && step.phase > SchemaPhase::kFills) continue;
      rehearse_schema_step(context, step, silent);
    }
  } catch (const Error&) {
    forget_rehearsal(context);
    throw;
  }
  forget_rehearsal(context);
}

class Execution {
 public:
  Execution(EngineContext& context, const SchemaPlan& plan, ResultSink& sink)
      : context_(context), plan_(plan), sink_(sink) {}

  void run() {
    std::size_t at = 0;
    while (at < plan_.steps.size() && plan_.steps[at].phase != SchemaPhase::kKept) {
      const bool fill = plan_.steps[at].is_fill();
      std::size_t end = at + 1;
      while (!fill && end < plan_.steps.size() && !plan_.steps[end].is_fill() &&
             plan_.steps[end].phase != SchemaPhase::kKept) {
        ++end;
      }
      run_part(at, end, !fill);
      at = end;
    }
  }

 private:
  void run_part(std::size_t begin, std::size_t end, bool together) {
    try {
      if (together) {
        pg::EnclosingTransaction all(context_.main);
        for (std::size_t i = begin; i < end; ++i) run_step(plan_.steps[i]);
        // Operations are begun without a flush, which would hold for the whole transaction.
        context_.main.exec("SET LOCAL synchronous_commit TO DEFAULT");
        all.commit();
      } else {
        run_step(plan_.steps[begin]);
      }
    } catch (const Error& error) {
      context_.forget_catalog();
      fail(error, begin);
    }
    context_.forget_catalog();
  }

  void run_step(const SchemaStep& step) {
    context_.check_stop();
    run_schema_step(context_, step, sink_);
  }

  [[noreturn]] void fail(const Error& error, std::size_t done) const {
    if (done == 0) {
      throw Error(error.code(), error.message(),
                  error.hint().empty() ? "nothing was changed" : error.hint());
    }
    const ErrorCode code = keeps_work(error) ? error.code() : ErrorCode::kPartlyDone;
    throw Error(code,
                fmt::format("{} of {} steps were done, then: {}", done, count(), error.message()),
                error.hint().empty() ? "correct the cause and apply again: it goes on from there"
                                     : error.hint());
  }

  std::ptrdiff_t count() const {
    return std::count_if(plan_.steps.begin(), plan_.steps.end(),
                         [](const SchemaStep& step) { return step.phase != SchemaPhase::kKept; });
  }

  EngineContext& context_;
  const SchemaPlan& plan_;
  ResultSink& sink_;
};

}  // namespace

void apply_schema(EngineContext& context, std::string_view schema_sql, bool prune, bool dry_run,
                  ResultSink& sink) {
  const SchemaModel wanted = schema_in_file(schema_sql);
  if (!dry_run) {
    context.log.settle_abandoned();
    resume_fills(context, sink);
  }
  const SchemaPlan plan = plan_schema(wanted, schema_in_catalog(context), prune);
  if (plan.changes() && (dry_run || plan.has_fills())) rehearse(context, plan);
  show(plan, sink);
  if (dry_run) return sink.done("APPLY", std::nullopt);
  Execution(context, plan, sink).run();
  sink.done("APPLY", std::nullopt);
}

void show_schema_diff(EngineContext& context, std::string_view schema_sql, bool prune,
                      ResultSink& sink) {
  const SchemaModel wanted = schema_in_file(schema_sql);
  show(plan_schema(wanted, schema_in_catalog(context), prune), sink);
}

}  // namespace coppice::engine
